/*
 * curl_codes.c - what each code of libcurl means for an action.
 */
#include <curl/curl.h>

#include "actions/http/defaults.h"

enum meaning {
	UNKNOWN, /* no entry */
	NAME,
	REFUSED,
	LATE,
	HANDSHAKE,
	CERTIFICATE,
	TLS_SETTING,
	LOST,     /* the connection, on the way */
	REPLY,    /* the answer is wrong or not whole */
	LARGE,
	WRONG_URL,
	DENIED,
	OURS,     /* this machine could not, for now */
	NEVER     /* cannot come from http, or from what we ask of libcurl */
};

static const struct default_error meanings[] = {
    [UNKNOWN] = {ERROR_STATE_INCONSISTENT, false, "this libcurl is newer than creel-http: please report the code"},
    [NAME] = {ERROR_NETWORK_CONNECTION_REFUSED, true, "check the host in endpoint.url, and the name service"},
    [REFUSED] = {ERROR_NETWORK_CONNECTION_REFUSED, true, "check host and port in endpoint.url, and that the service runs"},
    [LATE] = {ERROR_NETWORK_TIMEOUT, true, "raise endpoint.timeout if the service may take longer"},
    [HANDSHAKE] = {ERROR_NETWORK_CONNECTION_REFUSED, true, "check that the port speaks TLS"},
    [CERTIFICATE] = {ERROR_NETWORK_CONNECTION_REFUSED, false,
		     "if the service has a certificate of a private authority, name that in the definition's caFile"},
    [TLS_SETTING] = {ERROR_VALIDATION_FAILED, false, "check the definition's caFile, or http.ca_file in the configuration"},
    [LOST] = {ERROR_NETWORK_CONNECTION_REFUSED, true, "the connection broke; the service or something before it ended it"},
    [REPLY] = {ERROR_API_RESPONSE_MALFORMED, true, "what the service sent is no whole HTTP answer; see http-trace.json"},
    [LARGE] = {ERROR_API_RESPONSE_MALFORMED, false, "raise maxResponseSize in the definition if so much is expected"},
    [WRONG_URL] = {ERROR_VALIDATION_FAILED, false, "check endpoint.url"},
    [DENIED] = {ERROR_AUTH_INVALID, false, "check the credentials for the proxy"},
    [OURS] = {ERROR_STATE_INCONSISTENT, true, "check memory, open files and disk of this machine"},
    [NEVER] = {ERROR_STATE_INCONSISTENT, false, "this cannot come from an HTTP request: please report it"},
};

#define C(name, what) [name] = {#name, what}

static const struct {
	const char *name;
	enum meaning meaning;
} codes[] = {
    C(CURLE_OK, REPLY),
    C(CURLE_UNSUPPORTED_PROTOCOL, REPLY), /* the URL's was checked before: the answer's version */
    C(CURLE_FAILED_INIT, OURS),
    C(CURLE_URL_MALFORMAT, WRONG_URL),
    C(CURLE_NOT_BUILT_IN, NEVER),
    C(CURLE_COULDNT_RESOLVE_PROXY, NAME),
    C(CURLE_COULDNT_RESOLVE_HOST, NAME),
    C(CURLE_COULDNT_CONNECT, REFUSED),
    C(CURLE_WEIRD_SERVER_REPLY, REPLY),
    C(CURLE_REMOTE_ACCESS_DENIED, NEVER),
    C(CURLE_FTP_ACCEPT_FAILED, NEVER),
    C(CURLE_FTP_WEIRD_PASS_REPLY, NEVER),
    C(CURLE_FTP_ACCEPT_TIMEOUT, NEVER),
    C(CURLE_FTP_WEIRD_PASV_REPLY, NEVER),
    C(CURLE_FTP_WEIRD_227_FORMAT, NEVER),
    C(CURLE_FTP_CANT_GET_HOST, NEVER),
    C(CURLE_HTTP2, REPLY),
    C(CURLE_FTP_COULDNT_SET_TYPE, NEVER),
    C(CURLE_PARTIAL_FILE, REPLY),
    C(CURLE_FTP_COULDNT_RETR_FILE, NEVER),
    [20] = {"CURLE_OBSOLETE20", NEVER},
    C(CURLE_QUOTE_ERROR, NEVER),
    C(CURLE_HTTP_RETURNED_ERROR, NEVER),
    C(CURLE_WRITE_ERROR, OURS),
    [24] = {"CURLE_OBSOLETE24", NEVER},
    C(CURLE_UPLOAD_FAILED, LOST),
    C(CURLE_READ_ERROR, OURS),
    C(CURLE_OUT_OF_MEMORY, OURS),
    C(CURLE_OPERATION_TIMEDOUT, LATE),
    [29] = {"CURLE_OBSOLETE29", NEVER},
    C(CURLE_FTP_PORT_FAILED, NEVER),
    C(CURLE_FTP_COULDNT_USE_REST, NEVER),
    [32] = {"CURLE_OBSOLETE32", NEVER},
    C(CURLE_RANGE_ERROR, NEVER),
    [34] = {"CURLE_HTTP_POST_ERROR", NEVER},
    C(CURLE_SSL_CONNECT_ERROR, HANDSHAKE),
    C(CURLE_BAD_DOWNLOAD_RESUME, NEVER),
    C(CURLE_FILE_COULDNT_READ_FILE, NEVER),
    C(CURLE_LDAP_CANNOT_BIND, NEVER),
    C(CURLE_LDAP_SEARCH_FAILED, NEVER),
    [40] = {"CURLE_OBSOLETE40", NEVER},
    [41] = {"CURLE_FUNCTION_NOT_FOUND", NEVER},
    C(CURLE_ABORTED_BY_CALLBACK, OURS),
    C(CURLE_BAD_FUNCTION_ARGUMENT, NEVER),
    [44] = {"CURLE_OBSOLETE44", NEVER},
    C(CURLE_INTERFACE_FAILED, OURS),
    [46] = {"CURLE_OBSOLETE46", NEVER},
    C(CURLE_TOO_MANY_REDIRECTS, NEVER),
    C(CURLE_UNKNOWN_OPTION, NEVER),
    C(CURLE_SETOPT_OPTION_SYNTAX, NEVER),
    [50] = {"CURLE_OBSOLETE50", NEVER},
    [51] = {"CURLE_OBSOLETE51", CERTIFICATE}, /* peer verification, before 7.62 */
    C(CURLE_GOT_NOTHING, LOST),
    C(CURLE_SSL_ENGINE_NOTFOUND, TLS_SETTING),
    C(CURLE_SSL_ENGINE_SETFAILED, TLS_SETTING),
    C(CURLE_SEND_ERROR, LOST),
    C(CURLE_RECV_ERROR, LOST),
    [57] = {"CURLE_OBSOLETE57", NEVER},
    C(CURLE_SSL_CERTPROBLEM, TLS_SETTING),
    C(CURLE_SSL_CIPHER, TLS_SETTING),
    C(CURLE_PEER_FAILED_VERIFICATION, CERTIFICATE),
    C(CURLE_BAD_CONTENT_ENCODING, REPLY),
    [62] = {"CURLE_OBSOLETE62", NEVER},
    C(CURLE_FILESIZE_EXCEEDED, LARGE),
    C(CURLE_USE_SSL_FAILED, HANDSHAKE),
    C(CURLE_SEND_FAIL_REWIND, OURS),
    C(CURLE_SSL_ENGINE_INITFAILED, TLS_SETTING),
    C(CURLE_LOGIN_DENIED, DENIED),
    C(CURLE_TFTP_NOTFOUND, NEVER),
    C(CURLE_TFTP_PERM, NEVER),
    C(CURLE_REMOTE_DISK_FULL, NEVER),
    C(CURLE_TFTP_ILLEGAL, NEVER),
    C(CURLE_TFTP_UNKNOWNID, NEVER),
    C(CURLE_REMOTE_FILE_EXISTS, NEVER),
    C(CURLE_TFTP_NOSUCHUSER, NEVER),
    [75] = {"CURLE_OBSOLETE75", NEVER},
    [76] = {"CURLE_OBSOLETE76", NEVER},
    C(CURLE_SSL_CACERT_BADFILE, TLS_SETTING),
    C(CURLE_REMOTE_FILE_NOT_FOUND, NEVER),
    C(CURLE_SSH, NEVER),
    C(CURLE_SSL_SHUTDOWN_FAILED, LOST),
    C(CURLE_AGAIN, OURS),
    C(CURLE_SSL_CRL_BADFILE, TLS_SETTING),
    C(CURLE_SSL_ISSUER_ERROR, CERTIFICATE),
    C(CURLE_FTP_PRET_FAILED, NEVER),
    C(CURLE_RTSP_CSEQ_ERROR, NEVER),
    C(CURLE_RTSP_SESSION_ERROR, NEVER),
    C(CURLE_FTP_BAD_FILE_LIST, NEVER),
    C(CURLE_CHUNK_FAILED, NEVER),
    C(CURLE_NO_CONNECTION_AVAILABLE, OURS),
    C(CURLE_SSL_PINNEDPUBKEYNOTMATCH, CERTIFICATE),
    C(CURLE_SSL_INVALIDCERTSTATUS, CERTIFICATE),
    C(CURLE_HTTP2_STREAM, REPLY),
    C(CURLE_RECURSIVE_API_CALL, NEVER),
    C(CURLE_AUTH_ERROR, DENIED),
    C(CURLE_HTTP3, REPLY),
    C(CURLE_QUIC_CONNECT_ERROR, REFUSED),
    C(CURLE_PROXY, REFUSED),
    C(CURLE_SSL_CLIENTCERT, CERTIFICATE),
    [99] = {"CURLE_UNRECOVERABLE_POLL", OURS}, /* 7.84 */
    [100] = {"CURLE_TOO_LARGE", REPLY},        /* 8.6 */
    [101] = {"CURLE_ECH_REQUIRED", HANDSHAKE}, /* 8.8 */
};

enum { CODES = sizeof codes / sizeof *codes };

bool curl_code_known(int code)
{
	return code >= 0 && code < CODES && codes[code].meaning != UNKNOWN;
}

const char *curl_code_name(int code)
{
	return curl_code_known(code) ? codes[code].name : "CURLE_?";
}

struct default_error curl_code_default(int code, bool answered)
{
	enum meaning m = curl_code_known(code) ? codes[code].meaning : UNKNOWN;

	/* After the first byte of an answer these speak of what came: a chunk without a length, a line beyond all bounds, a
	 * header or trailer that cannot be taken. */
	if (answered && (code == CURLE_RECV_ERROR || code == CURLE_OUT_OF_MEMORY || code == CURLE_BAD_FUNCTION_ARGUMENT))
		m = REPLY;
	return meanings[m];
}
