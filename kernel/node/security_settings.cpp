#include "kernel/node/security_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/node/pod_references.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::Reason;
using base::Result;
using base::Status;

bool runs_as_non_root(core_v1::PodSecurityContext of_pod, core_v1::SecurityContext own) {
    return own.has_run_as_non_root() ? own.run_as_non_root() : of_pod.run_as_non_root();
}

std::string who(core_v1::Pod pod, core_v1::Container container) {
    return fmt::format("(pod: \"{}\", container: {})", pod_text(pod), container.name());
}

Result<void> check_non_root(core_v1::Pod pod, core_v1::Container container, const Security& security,
                            std::string_view image_user) {
    if (!runs_as_non_root(pod.spec().security_context(), container.security_context())) return {};
    if (security.user) {
        if (*security.user != 0) return {};
        return Status(Reason::forbidden,
                      "container's runAsUser breaks non-root policy " + who(pod, container));
    }
    const std::string_view user = image_user.substr(0, image_user.find(':'));
    const bool is_number =
        std::all_of(user.begin(), user.end(), [](char letter) { return letter >= '0' && letter <= '9'; });
    if (!is_number)
        return Status(Reason::forbidden,
                      fmt::format("container has runAsNonRoot and image has non-numeric user ({}), cannot "
                                  "verify user is non-root {}",
                                  user, who(pod, container)));
    // No user at all is root as well.
    if (user.find_first_not_of('0') == std::string_view::npos)
        return Status(Reason::forbidden,
                      "container has runAsNonRoot and image will run as root " + who(pod, container));
    return {};
}

void set_users(Security& security, core_v1::PodSecurityContext of_pod, core_v1::SecurityContext own) {
    if (own.has_run_as_user())
        security.user = own.run_as_user();
    else if (of_pod.has_run_as_user())
        security.user = of_pod.run_as_user();
    if (own.has_run_as_group())
        security.group = own.run_as_group();
    else if (of_pod.has_run_as_group())
        security.group = of_pod.run_as_group();
    if (of_pod.has_fs_group()) security.supplemental_groups.push_back(of_pod.fs_group());
    for (const std::int64_t group : of_pod.supplemental_groups())
        security.supplemental_groups.push_back(group);
    security.supplemental_groups_policy = of_pod.supplemental_groups_policy();
}

Result<void> set_seccomp(Security& security, core_v1::PodSecurityContext of_pod, core_v1::SecurityContext own,
                         const std::string& directory) {
    const core_v1::SeccompProfile profile =
        own.has_seccomp_profile() ? own.seccomp_profile() : of_pod.seccomp_profile();
    security.seccomp_type = profile.type();
    if (profile.type() != "Localhost") return {};
    const std::string_view file = profile.localhost_profile();
    if (file.empty())
        return Status(Reason::bad_request,
                      "localhostProfile must be set if seccompProfile type is Localhost.");
    security.seccomp_path = directory + "/" + std::string(file);
    return {};
}

}  // namespace

Result<Security> security_of(core_v1::Pod pod, core_v1::Container container, std::string_view image_user,
                             const std::string& seccomp_directory) {
    const core_v1::PodSecurityContext of_pod = pod.spec().security_context();
    const core_v1::SecurityContext own = container.security_context();
    Security security;
    security.is_privileged = own.privileged();
    set_users(security, of_pod, own);
    KEELSON_TRY_VOID(check_non_root(pod, container, security, image_user));
    for (const std::string_view name : own.capabilities().add())
        security.added_capabilities.emplace_back(name);
    for (const std::string_view name : own.capabilities().drop())
        security.dropped_capabilities.emplace_back(name);
    security.has_read_only_root = own.read_only_root_filesystem();
    security.has_no_new_privileges =
        own.has_allow_privilege_escalation() && !own.allow_privilege_escalation();
    security.masks_proc = own.proc_mount() != "Unmasked";
    KEELSON_TRY_VOID(set_seccomp(security, of_pod, own, seccomp_directory));
    return security;
}

}  // namespace keelson::node
