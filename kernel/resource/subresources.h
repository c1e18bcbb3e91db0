// The subresources that are not simply another view of the object: scale, binding, eviction,
// ephemeralcontainers, resize, token, and the reviews that are answered without being stored.
#pragma once

#include "kernel/access/authentication.h"
#include "kernel/access/authorization.h"
#include "kernel/base/task.h"
#include "kernel/resource/call.h"
#include "kernel/resource/token_request.h"
#include "kernel/resource/verbs.h"

namespace keelson::resource {

class Subresources {
  public:
    // Both may be null: then token reviews answer that they cannot authenticate, access reviews deny.
    Subresources(Verbs& verbs, const access::Authorization* authorization,
                 access::Authentication* authentication)
        : verbs_(verbs), authorization_(authorization), authentication_(authentication) {}

    // Lets serviceaccounts/token give tokens; without it, and while the issuer is not there, it says that it
    // cannot. Before the first request; the issuer outlives this.
    void issue_tokens(access::TokenIssuer& issuer, TokenSettings settings) {
        token_issuer_ = &issuer;
        token_settings_ = std::move(settings);
    }

    // Whether this room answers the call itself instead of treating it as the parent object.
    [[nodiscard]] static bool handles(const Call& call);

    base::Task<base::Result<ObjectAnswer>> get(Call& call);
    base::Task<base::Result<ObjectAnswer>> create(Call& call, const Body& body, const WriteOptions& options,
                                                  object::Arena& arena);
    base::Task<base::Result<ObjectAnswer>> update(Call& call, const Body& body, const WriteOptions& options,
                                                  object::Arena& arena);
    base::Task<base::Result<ObjectAnswer>> patch(Call& call, PatchType type, const Body& patch,
                                                 const WriteOptions& options);

  private:
    base::Task<base::Result<ObjectAnswer>> bind(Call& call, const Body& body, const WriteOptions& options,
                                                object::Arena& arena);
    base::Task<base::Result<ObjectAnswer>> evict(Call& call, const Body& body, const WriteOptions& options,
                                                 object::Arena& arena);
    base::Task<base::Result<ObjectAnswer>> change_scale(Call& call, const Mutation& scale_mutation,
                                                        const WriteOptions& options);
    base::Task<base::Result<ObjectAnswer>> review(Call& call, const Body& body, const WriteOptions& options,
                                                  object::Arena& arena);

    Verbs& verbs_;
    const access::Authorization* authorization_;
    access::Authentication* authentication_;
    access::TokenIssuer* token_issuer_ = nullptr;
    TokenSettings token_settings_;
};

// {"kind":"Status",...,"status":"Success","code":201}
[[nodiscard]] ObjectAnswer success_status(int code);

// The Scale of a workload; unset when the object cannot be scaled.
[[nodiscard]] object::Value scale_of(const object::Resource& resource, object::Value object,
                                     object::Arena& arena);

}  // namespace keelson::resource
