#include "kernel/api/options.h"

#include <algorithm>
#include <charconv>

#include "kernel/object/field_errors.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Result;
using object::FieldErrors;
using object::FieldPath;
using object::Value;

constexpr std::size_t kManagerLimitBytes = 128;
constexpr std::string_view kMetaGroup = "meta.k8s.io";

// The field manager of a client that does not name one: what its User-Agent begins with.
std::string manager_of_agent(std::string_view agent) {
    std::string name(agent.substr(0, agent.find('/')));
    std::erase_if(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (name.size() > kManagerLimitBytes) name.resize(kManagerLimitBytes);
    return name;
}

bool check_dry_run(const std::vector<std::string_view>& values, FieldErrors& errors) {
    if (values.empty()) return false;
    bool all = std::ranges::all_of(values, [](std::string_view value) { return value == "All"; });
    if (!all) {
        std::vector<std::string> texts(values.begin(), values.end());
        errors.not_supported(FieldPath("dryRun"), object::BadValue(texts), {"All"});
    }
    return true;
}

void check_manager(std::string_view manager, bool is_apply, FieldErrors& errors) {
    FieldPath path("fieldManager");
    if (manager.empty() && is_apply) errors.required(path, "is required for apply patch");
    if (manager.size() > kManagerLimitBytes)
        errors.too_long(path, static_cast<std::int64_t>(kManagerLimitBytes));
    bool printable = std::ranges::all_of(manager, [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
    if (!printable) errors.invalid(path, manager, "should only contain printable characters");
}

std::optional<std::string> text_member(Value map, std::string_view name) {
    Value member = map[name];
    return member.is_string() ? std::optional(member.to_string()) : std::nullopt;
}

Result<void> check_delete_options(const resource::DeleteOptions& options,
                                  const std::vector<std::string_view>& dry_run) {
    FieldErrors errors;
    FieldPath path("propagationPolicy");
    if (options.propagation_policy && options.orphan_dependents) {
        errors.invalid(path, *options.propagation_policy,
                       "orphanDependents and deletionPropagation cannot be both set");
    }
    if (options.propagation_policy) {
        const std::string& policy = *options.propagation_policy;
        if (policy != "Foreground" && policy != "Background" && policy != "Orphan")
            errors.not_supported(path, policy, {"Foreground", "Background", "Orphan", "nil"});
    }
    check_dry_run(dry_run, errors);
    if (!errors.empty()) return object::invalid_status(kMetaGroup, "DeleteOptions", "", errors);
    return base::ok();
}

}  // namespace

Result<std::optional<std::int64_t>> query_integer(const Request& request, std::string_view name) {
    std::string_view text = request.query_value(name);
    if (text.empty()) return std::optional<std::int64_t>();
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range)
        return resource::bad_request("strconv.ParseInt: parsing \"" + std::string(text) +
                                     "\": value out of range");
    if (error != std::errc() || end != text.data() + text.size())
        return resource::bad_request("strconv.ParseInt: parsing \"" + std::string(text) +
                                     "\": invalid syntax");
    return std::optional<std::int64_t>(value);
}

bool query_flag(const Request& request, std::string_view name) {
    if (!request.has_query(name)) return false;
    std::string text(request.query_value(name));
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text != "false" && text != "0";
}

bool asks_for_watch(const Request& request) {
    return query_flag(request, "watch");
}

Result<resource::WriteOptions> parse_write_options(const Request& request, std::string_view kind,
                                                   bool is_apply) {
    resource::WriteOptions options;
    FieldErrors errors;
    std::string_view manager = request.query_value("fieldManager");
    if (request.has_query("force")) {
        options.force = query_flag(request, "force");
        if (!is_apply) errors.forbidden(FieldPath("force"), "may not be specified for non-apply patch");
    }
    check_manager(manager, is_apply, errors);
    options.dry_run = check_dry_run(request.query_values("dryRun"), errors);
    std::string_view validation = request.query_value("fieldValidation");
    if (validation == "Strict")
        options.field_validation = resource::FieldValidation::strict;
    else if (validation == "Ignore")
        options.field_validation = resource::FieldValidation::ignore;
    else if (!validation.empty() && validation != "Warn")
        errors.not_supported(FieldPath("fieldValidation"), validation, {"", "Ignore", "Strict", "Warn"});
    if (!errors.empty()) return object::invalid_status(kMetaGroup, kind, "", errors);
    options.field_manager =
        manager.empty() ? manager_of_agent(request.header("User-Agent")) : std::string(manager);
    return options;
}

Result<resource::ListOptions> parse_list_options(const Request& request) {
    resource::ListOptions options;
    options.label_selector = request.query_value("labelSelector");
    options.field_selector = request.query_value("fieldSelector");
    options.resource_version = request.query_value("resourceVersion");
    options.resource_version_match = request.query_value("resourceVersionMatch");
    options.continue_token = request.query_value("continue");
    KEELSON_TRY(auto limit, query_integer(request, "limit"));
    options.limit = std::max<std::int64_t>(limit.value_or(0), 0);
    KEELSON_TRY(options.timeout_seconds, query_integer(request, "timeoutSeconds"));
    options.allow_watch_bookmarks = query_flag(request, "allowWatchBookmarks");
    if (request.has_query("sendInitialEvents"))
        options.send_initial_events = query_flag(request, "sendInitialEvents");
    return options;
}

Result<resource::DeleteOptions> parse_delete_options(const Request& request, Value body) {
    resource::DeleteOptions options;
    KEELSON_TRY(options.grace_period_seconds, query_integer(request, "gracePeriodSeconds"));
    if (request.has_query("propagationPolicy"))
        options.propagation_policy = std::string(request.query_value("propagationPolicy"));
    if (request.has_query("orphanDependents"))
        options.orphan_dependents = query_flag(request, "orphanDependents");
    auto dry_run = request.query_values("dryRun");
    if (body.is_set()) {
        // A body replaces what the query says.
        options = {};
        if (body["gracePeriodSeconds"].is_integer())
            options.grace_period_seconds = body["gracePeriodSeconds"].as_integer();
        options.propagation_policy = text_member(body, "propagationPolicy");
        if (body["orphanDependents"].is_boolean())
            options.orphan_dependents = body["orphanDependents"].as_boolean();
        options.preconditions.uid = text_member(body["preconditions"], "uid");
        options.preconditions.resource_version = text_member(body["preconditions"], "resourceVersion");
        if (!body["dryRun"].empty()) {
            dry_run.clear();
            for (Value item : body["dryRun"].items()) dry_run.push_back(item.as_string());
        }
    }
    KEELSON_TRY_VOID(check_delete_options(options, dry_run));
    options.dry_run = !dry_run.empty();
    return options;
}

}  // namespace keelson::api
