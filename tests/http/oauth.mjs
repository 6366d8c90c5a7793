// oauth2-mock-server with the few things that it leaves to its user: oauth.mjs DIR.
//
// The port goes to DIR/port.  DIR/tokens has a line of JSON for each request for a token ({grant, given, status}),
// DIR/asked one for each of /userinfo, which is the service that wants a token ({status}).  Files in DIR that it looks at:
//   expires   seconds that a token is good for (3600); DIR/expired appears when the last one is over
//   revoke    while it is there, the next request for /userinfo makes all tokens so far worthless, and removes it
// Each answer has a new refresh token, and the one before is worth nothing any more; the first is the text "first-refresh".
import fs from 'node:fs';
import { randomUUID } from 'node:crypto';
import { OAuth2Server } from 'oauth2-mock-server';

const dir = process.argv[2];
const file = (name) => `${dir}/${name}`;
const log = (name, what) => fs.appendFileSync(file(name), JSON.stringify(what) + '\n');
const good = new Map();
let refresh = 'first-refresh';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
// Two tokens of the same second must not be the same.
server.service.on('beforeTokenSigning', (token) => { token.payload.jti = randomUUID(); });
server.service.on('beforeResponse', (answer, request) => {
  const given = request.body.refresh_token;
  const what = { grant: request.body.grant_type, given: given ?? null, status: 200 };
  if (given !== undefined && given !== refresh) {
    answer.statusCode = what.status = 400;
    answer.body = { error: 'invalid_grant' };
  } else {
    const seconds = fs.existsSync(file('expires')) ? Number(fs.readFileSync(file('expires'))) : 3600;
    refresh = 'refresh-' + randomUUID();
    answer.body.expires_in = seconds;
    answer.body.refresh_token = refresh;
    good.set(answer.body.access_token, Date.now() + seconds * 1000);
    fs.appendFileSync(file('secrets'), `${answer.body.access_token}\n${refresh}\n`);
    setTimeout(() => fs.writeFileSync(file('expired'), ''), seconds * 1000).unref();
  }
  log('tokens', what);
});
server.service.on('beforeUserinfo', (answer, request) => {
  const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  if (fs.existsSync(file('revoke'))) {
    fs.unlinkSync(file('revoke'));
    good.clear();
  }
  if (!(good.get(token) > Date.now())) {
    answer.statusCode = 401;
    answer.body = { error: 'invalid_token' };
  }
  log('asked', { status: answer.statusCode });
});
await server.start(0, '127.0.0.1');
fs.writeFileSync(file('port.new'), String(server.address().port));
fs.renameSync(file('port.new'), file('port'));
