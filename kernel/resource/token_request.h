// The subresource serviceaccounts/token: tokens on request, as
// pkg/registry/core/serviceaccount/storage/token.go gives them.
#pragma once

#include <string>
#include <vector>

#include "kernel/access/token_issuer.h"
#include "kernel/base/task.h"
#include "kernel/resource/call.h"
#include "kernel/resource/verbs.h"

namespace keelson::resource {

struct TokenSettings {
    // What a token is for when the request does not say: the API server itself.
    std::vector<std::string> audiences;
    // Pods whose token volume came by admission get tokens that last a year though they are told an hour, for
    // programs that read the file once (kube-apiserver's --service-account-extend-token-expiration).
    bool extend_expiration = true;
};

// Creates a token. A dry run gives one as well: nothing is stored in either case.
base::Task<base::Result<ObjectAnswer>> create_token(Verbs& verbs, access::TokenIssuer& issuer,
                                                    const TokenSettings& settings, Call& call,
                                                    const Body& body, const WriteOptions& options,
                                                    object::Arena& arena);

}  // namespace keelson::resource
