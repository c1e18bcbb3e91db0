#include "kernel/api/command_channels.h"

#include <algorithm>

#include "kernel/object/json.h"
#include "kernel/object/value.h"

namespace keelson::api {

using base::Result;
using base::Status;
using object::Arena;
using object::Value;

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

std::string joined(const std::vector<std::string_view>& words) {
    return joined(std::vector<std::string>(words.begin(), words.end()));
}

}  // namespace

std::string CommandOutcome::text() const {
    if (failure) return failure->message();
    if (exit_code == 0) return {};
    return "command terminated with non-zero exit code: error executing command [" + joined(command) +
           "], exit code " + std::to_string(exit_code);
}

std::string CommandOutcome::json() const {
    if (failure) return status_json(*failure);
    Arena arena;
    const Value status = Value::map(arena);
    status.set(arena, "metadata", Value::map(arena));
    status.set(arena, "status", Value::reference(exit_code == 0 ? "Success" : "Failure"));
    if (exit_code != 0) {
        const Value cause = Value::map(arena);
        cause.set(arena, "reason", Value::reference("ExitCode"));
        cause.set(arena, "message", Value::string(arena, std::to_string(exit_code)));
        const Value causes = Value::list(arena);
        causes.push_back(arena, cause);
        status.set(arena, "message", Value::string(arena, text()));
        status.set(arena, "reason", Value::reference("NonZeroExitCode"));
        status.child_map(arena, "details").set(arena, "causes", causes);
    }
    return object::to_json(status);
}

Result<std::string> choose_protocol(const std::vector<std::string>& offered,
                                    const std::vector<std::string_view>& served) {
    if (offered.empty()) return std::string();
    const auto found = std::ranges::find_if(offered, [&](const std::string& one) {
        return std::ranges::find(served, std::string_view(one)) != served.end();
    });
    if (found != offered.end()) return *found;
    return Status(base::Reason::forbidden, "unable to negotiate protocol: client supports [" +
                                               joined(offered) + "], server accepts [" + joined(served) +
                                               "]");
}

}  // namespace keelson::api
