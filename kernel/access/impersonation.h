// Acting as somebody else: the Impersonate-* headers, as k8s.io/apiserver/pkg/endpoints/filters/impersonation
// reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/access/authorization.h"
#include "kernel/access/identity.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::access {

// What the headers ask for; collected by the transport.
struct ImpersonationRequest {
    std::string user;                                        // Impersonate-User
    std::string uid;                                         // Impersonate-Uid
    std::vector<std::string> groups;                         // Impersonate-Group, repeated
    std::vector<std::pair<std::string, std::string>> extra;  // Impersonate-Extra-KEY, KEY as sent, repeated

    [[nodiscard]] bool empty() const {
        return user.empty() && uid.empty() && groups.empty() && extra.empty();
    }
};

// The identity to act as, once the caller may impersonate each part of it. Fails with forbidden, or with
// bad_request for a group, uid or extra without a user.
[[nodiscard]] base::Task<base::Result<Identity>> impersonate(const Authorization& authorization,
                                                             const Identity& caller,
                                                             const ImpersonationRequest& request);

}  // namespace keelson::access
