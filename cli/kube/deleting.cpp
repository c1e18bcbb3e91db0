#include "cli/kube/deleting.h"

#include "cli/kube/watch.h"

namespace keelson::cli::kube {
namespace {

std::string propagation_of(const std::string& cascade) {
    if (cascade == "foreground") return "Foreground";
    return cascade == "orphan" ? "Orphan" : "Background";
}

}  // namespace

Result<std::string> delete_item(Api& api, const Item& item, const DeleteWish& wish) {
    Object options = {
        {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", propagation_of(wish.cascade)}};
    if (wish.grace_period_seconds >= 0) options["gracePeriodSeconds"] = wish.grace_period_seconds;
    if (wish.is_dry) options["dryRun"] = {"All"};
    const auto answer = api.ask({.method = "DELETE", .path = item.path(), .body = compact(options)});
    if (!answer) return pass_on(answer);
    const std::string of_status = text_at(member(*answer, "details"), "uid");
    return of_status.empty() ? text_at(member(*answer, "metadata"), "uid") : of_status;
}

Result<void> wait_until_gone(Api& api, const Item& item, const std::string& uid, std::int64_t timeout_ns) {
    std::optional<Deadline> deadline;
    if (timeout_ns > 0) deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_ns);
    auto gone = watch_object(
        api, item.resource->path(item.namespace_name), item.name,
        [&](const Object& object) -> Result<bool> {
            return object.is_null() || (!uid.empty() && text_at(member(object, "metadata"), "uid") != uid);
        },
        deadline);
    if (gone || !gone.error().is_timeout) return gone;
    return fail("timed out waiting for the condition on " + item.resource->plural + "/" + item.name);
}

}  // namespace keelson::cli::kube
