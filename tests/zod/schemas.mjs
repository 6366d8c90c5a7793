// The plan, state and catalog schemas of the source document (seeds/000, section 4.1), member by member, as they stand.
// The descriptions are left out: they do not take part in parsing.
import { z } from 'zod';

const UserId = z.string().uuid().brand('UserId');
const ExecutionId = z.string().uuid().brand('ExecutionId');
const ActionId = z.string().brand('ActionId');
const ISODateTime = z.string().datetime();
const UUID = z.string().uuid();
const URL = z.string().url();
const DurationMs = z.number().int().nonnegative();

const ErrorCategory = z.enum([
  'auth_expired', 'auth_invalid', 'rate_limit_daily', 'rate_limit_burst', 'network_timeout',
  'network_connection_refused', 'api_response_malformed', 'api_endpoint_removed', 'api_unexpected_status',
  'validation_failed', 'state_inconsistent', 'user_cancelled',
]);

export const ErrorDetail = z.object({
  category: ErrorCategory,
  message: z.string(),
  code: z.string().optional(),
  statusCode: z.number().int().optional(),
  retryable: z.boolean(),
  retryAfter: ISODateTime.optional(),
  context: z.record(z.string(), z.string()),
  suggestion: z.string().optional(),
});

const StorageLocation = z.object({
  provider: z.literal('local'),
  path: z.string(),
  size: z.number().int().nonnegative(),
  checksum: z.string(),
  contentType: z.string(),
  metadata: z.record(z.string(), z.string()),
});

const ActionReference = z.string().regex(/^\$\{[a-zA-Z0-9_]+\.[a-zA-Z0-9_.[\]]+\}$/);

const PlannedAction = z.object({
  id: ActionId,
  actionDefinitionId: z.string(),
  inputs: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), ActionReference])),
  dependencies: z.array(ActionId),
  condition: z.object({
    if: ActionReference,
    then: z.literal('execute'),
    else: z.enum(['skip', 'fail']),
  }).optional(),
  errorHandling: z.object({
    continueOnFailure: z.boolean(),
    fallbackValue: z.record(z.string(), z.string()).optional(),
    alternativeActionId: ActionId.optional(),
  }),
  userConfirmation: z.object({
    required: z.boolean(),
    title: z.string(),
    message: z.string(),
    timeout: DurationMs.optional(),
  }).optional(),
});

export const ApiCatalogEntry = z.object({
  apiId: z.string(),
  name: z.string(),
  version: z.string(),
  baseUrl: URL,
  errorMappings: z.array(z.object({
    pattern: z.string().optional(),
    status: z.number().int().optional(),
    header: z.object({ name: z.string(), pattern: z.string() }).optional(),
    category: ErrorCategory,
    retryable: z.boolean(),
    backoffStrategy: z.enum(['exponential', 'linear', 'custom']).optional(),
  })),
  rateLimiting: z.object({
    detection: z.object({
      statusCodes: z.array(z.number().int()),
      headers: z.array(z.string()),
      bodyPatterns: z.array(z.string()).optional(),
    }),
    extraction: z.object({
      limitHeader: z.string().optional(),
      remainingHeader: z.string().optional(),
      resetHeader: z.string().optional(),
      resetFormat: z.enum(['unix_seconds', 'unix_ms', 'iso8601']).optional(),
    }),
    backoffStrategy: z.object({
      type: z.enum(['exponential', 'linear', 'respect_reset']),
      initialDelay: DurationMs.optional(),
      maxDelay: DurationMs.optional(),
    }),
  }).optional(),
  quirks: z.object({
    successWithErrorBody: z.boolean().default(false),
    errorContentType: z.string().optional(),
    emptyResponseOn204: z.boolean().default(true),
    binaryErrorResponses: z.boolean().default(false),
    nonStandardJsonContentType: z.string().optional(),
    requiresUserAgent: z.string().optional(),
    maxResponseSize: z.number().int().positive().optional(),
  }),
  healthCheck: z.object({
    endpoint: z.string(),
    expectedStatus: z.number().int(),
    timeout: DurationMs,
  }).optional(),
  notes: z.string().optional(),
});

const Authentication = z.discriminatedUnion('type', [
  z.object({ type: z.literal('bearer'), token: z.string(), tokenFrom: z.enum(['env', 'user_input', 'oauth_flow']) }),
  z.object({ type: z.literal('api_key'), header: z.string(), value: z.string(), valueFrom: z.enum(['env', 'user_input']) }),
  z.object({
    type: z.literal('oauth2'),
    clientId: z.string(),
    clientSecret: z.string(),
    tokenUrl: URL,
    scope: z.array(z.string()),
    refreshToken: z.string().optional(),
  }),
  z.object({ type: z.literal('custom'), handler: z.string() }),
]);

export const ActionDefinition = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  endpoint: z.object({
    url: URL,
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
    headers: z.record(z.string(), z.string()),
    timeout: DurationMs,
  }),
  authentication: Authentication.optional(),
  inputSchema: z.record(z.string(), z.string()),
  outputSchema: z.record(z.string(), z.string()),
  retryPolicy: z.object({
    maxAttempts: z.number().int().min(1).max(10),
    initialDelay: DurationMs,
    maxDelay: DurationMs,
    backoffMultiplier: z.number().min(1).max(5),
    retryableErrors: z.array(ErrorCategory),
    jitter: z.boolean(),
  }),
  knownErrors: z.array(z.object({ pattern: z.string(), category: ErrorCategory, suggestion: z.string() })),
  rateLimit: z.object({
    requests: z.number().int().positive(),
    window: DurationMs,
    scope: z.enum(['global', 'per_user', 'per_ip']),
  }).optional(),
  examples: z.array(z.object({
    name: z.string(),
    input: z.record(z.string(), z.string()),
    output: z.record(z.string(), z.string()),
  })),
});

export const ExecutionPlan = z.object({
  id: ExecutionId,
  name: z.string(),
  description: z.string(),
  intent: z.object({
    original: z.string(),
    interpreted: z.string(),
    confidence: z.number().min(0).max(1),
  }),
  actions: z.array(PlannedAction),
  expectedOutcome: z.object({
    description: z.string(),
    validations: z.array(z.object({
      name: z.string(),
      reference: ActionReference,
      operator: z.enum(['exists', 'equals', 'contains', 'matches']),
      value: z.string().optional(),
    })),
  }),
  metadata: z.object({
    createdAt: ISODateTime,
    createdBy: UserId.optional(),
    estimatedDuration: DurationMs,
    tags: z.array(z.string()),
  }),
});

const ActionExecutionState = z.object({
  actionId: z.string(),
  status: z.enum(['pending', 'running', 'completed', 'failed', 'skipped']),
  startedAt: ISODateTime.optional(),
  completedAt: ISODateTime.optional(),
  duration: DurationMs.optional(),
  attempts: z.number().int(),
  result: z.discriminatedUnion('status', [
    z.object({
      status: z.literal('success'),
      output: z.record(z.string(), z.string()),
      outputLocation: StorageLocation,
    }),
    z.object({
      status: z.literal('failure'),
      error: ErrorDetail,
      partialOutput: z.record(z.string(), z.string()).optional(),
    }),
    z.object({ status: z.literal('skipped'), reason: z.string() }),
  ]).optional(),
  httpTrace: z.array(z.object({
    timestamp: ISODateTime,
    request: z.object({
      method: z.string(), url: URL, headers: z.record(z.string(), z.string()), body: z.string().optional(),
    }),
    response: z.object({
      status: z.number().int(), headers: z.record(z.string(), z.string()), body: z.string(), duration: DurationMs,
    }).optional(),
    error: ErrorDetail.optional(),
  })),
});

export const ExecutionState = z.object({
  id: UUID,
  planId: UUID,
  status: z.enum(['initializing', 'running', 'paused_for_confirmation', 'completed', 'failed', 'cancelled']),
  startedAt: ISODateTime,
  completedAt: ISODateTime.optional(),
  actionStates: z.record(z.string(), ActionExecutionState),
  confirmations: z.array(z.object({
    actionId: z.string(),
    requestedAt: ISODateTime,
    respondedAt: ISODateTime.optional(),
    confirmed: z.boolean().optional(),
    userId: z.string().optional(),
  })),
  error: ErrorDetail.optional(),
  metrics: z.object({
    totalActions: z.number().int(),
    completedActions: z.number().int(),
    failedActions: z.number().int(),
    skippedActions: z.number().int(),
    totalDuration: DurationMs.optional(),
  }),
});
