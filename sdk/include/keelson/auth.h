/* Who is asking, and may they. Documents: sdk/schema/auth.json.
 *
 * These methods are short: they answer from memory within a millisecond or so, because a request waits for
 * them. They are called in the thread of the request when the plugin runs in-process. */
#ifndef KEELSON_AUTH_H
#define KEELSON_AUTH_H

#include "keelson/entry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Turns a credential into a user. Several plugins are asked in the configured order; the first that knows the
 * credential wins. The kernel caches what they answer, a certificate for its connection, a token by its hash.
 */
#define KEELSON_AUTHENTICATOR "keelson.auth.authenticator/0"
struct keelson_authenticator {
    uint32_t struct_size;
    /* {"token": "..."} or {"certificate": {"commonName", "organizations": [], "uid"?, "sha256", "pem",
     * "notAfter"}}, of a client that the server's client CAs have verified, and "audiences": ["..."] that the
     * API server accepts
     * -> {"authenticated": true, "user": {"username", "uid"?, "groups": [], "extra": {"key": ["value"]}},
     *     "audiences"?: [], "ttlSeconds": 10}: the answer may be kept for that long; 0: not at all
     * or {"authenticated": false, "error"?: "expired", "ttlSeconds"?: 0}: without an error another plugin may
     * know it, with an error nobody else is asked. */
    keelson_method authenticate;
};
#define KEELSON_AUTHENTICATOR_METHODS(X, T) X(T, authenticate)

/* Decides whether a user may do something. */
#define KEELSON_AUTHORIZER "keelson.auth.authorizer/0"
struct keelson_authorizer {
    uint32_t struct_size;
    /* The spec of a SubjectAccessReview -> {"allowed", "denied"?, "reason"?, "ttlSeconds"?}. Neither allowed
     * nor denied: no opinion, the next one is asked. */
    keelson_method authorize;
};
#define KEELSON_AUTHORIZER_METHODS(X, T) X(T, authorize)

/* Issues tokens for ServiceAccounts. One plugin at most has this capability active. */
#define KEELSON_TOKEN_ISSUER "keelson.auth.token-issuer/0"
struct keelson_token_issuer {
    uint32_t struct_size;
    /* {"serviceAccount": {"namespace", "name", "uid"}, "audiences": [], "expirationSeconds": 3600,
     *  "warnAfterSeconds"?: 3607 (a token in use for longer is stale: its holder does not renew it),
     *  "boundObject"?: {"kind": "Pod"|"Secret"|"Node", "name", "uid"}, "node"?: {"name", "uid"}}
     * -> {"token": "...", "expirationTimestamp": "2026-01-02T03:04:05Z"} */
    keelson_method issue;
    /* {} -> {"issuer": "https://...", "keys": [JWK, ...]}: what verifies the tokens, newest key first */
    keelson_method keys;
};
#define KEELSON_TOKEN_ISSUER_METHODS(X, T) X(T, issue) X(T, keys)

#ifdef __cplusplus
}
#endif
#endif
