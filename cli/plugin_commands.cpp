#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.h"
#include "cli/output.h"

namespace keelson::cli {
namespace {

std::string plugin_path(const std::string& name) {
    return "/v1/plugins/" + encode_segment(name);
}

// The server wants whole paths and knows nothing of our directory.
std::string whole_path(const std::string& path) {
    std::error_code code;
    const auto whole = std::filesystem::absolute(path, code);
    return code ? path : whole.lexically_normal().string();
}

Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) return fail(path + ": " + std::strerror(errno), exit_usage);
    return std::move(text).str();
}

Result<Json> read_config(const std::string& argument) {
    const bool is_file = argument.starts_with('@');
    auto text = is_file ? read_file(argument.substr(1)) : Result<std::string>(argument);
    if (!text) return tl::unexpected(text.error());
    try {
        Json config = Json::parse(*text);
        if (config.is_object()) return config;
        return fail("the configuration must be a JSON object", exit_usage);
    } catch (const Json::exception& error) {
        return fail("the configuration" + (is_file ? " in " + argument.substr(1) : "") +
                        " is not JSON: " + printable(error.what()),
                    exit_usage);
    }
}

Colour colour_of(const std::string& state) {
    if (state == "ready") return Colour::good;
    if (state == "failed" || state == "unhealthy") return Colour::bad;
    return state == "disabled" ? Colour::none : Colour::warning;
}

Row row_of(const Json& plugin) {
    const std::string state = text_of(plugin, "state");
    const std::string process = text_of(plugin, "processId");
    return {{text_of(plugin, "name")},     {text_of(plugin, "kind")},      {text_of(plugin, "version")},
            {state, colour_of(state)},     {text_of(plugin, "isolation")}, {process.empty() ? "-" : process},
            {text_of(plugin, "restarts")}, {text_of(plugin, "reason")}};
}

const Json& list_in(const Json& document, const char* name) {
    static const Json none = Json::array();
    const auto member = document.find(name);
    return member != document.end() && member->is_array() ? *member : none;
}

void print_methods(const Json& plugin) {
    std::vector<Row> rows{{{"CAPABILITY"}, {"METHOD"}, {"CALLS"}, {"FAILURES"}, {"SECONDS"}}};
    for (const Json& method : list_in(plugin, "methods"))
        rows.push_back({{text_of(method, "capability")},
                        {text_of(method, "method")},
                        {text_of(method, "calls")},
                        {text_of(method, "failures")},
                        {text_of(method, "seconds")}});
    if (rows.size() == 1) return;
    print("\n");
    print_table(rows);
}

void print_description(const Json& plugin) {
    std::vector<Row> rows;
    for (const auto& [name, value] : plugin.items()) {
        if (value.is_structured()) continue;
        const std::string text = text_of(plugin, name);
        rows.push_back({{name + ":"}, {text, name == "state" ? colour_of(text) : Colour::none}});
    }
    for (const Json& capability : list_in(plugin, "capabilities"))
        if (capability.is_string()) rows.push_back({{"capability:"}, {capability.get<std::string>()}});
    const Json objects = plugin.value("objects", Json::object());
    for (const char* part : {"accepted", "waiting"})
        for (const Json& access : list_in(objects, part))
            rows.push_back({{"objects:"},
                            {text_of(access, "apiVersion") + " " + text_of(access, "resource") + " " +
                                 access.value("verbs", Json::array()).dump() + ", " + part,
                             part[0] == 'w' ? Colour::warning : Colour::none}});
    for (const Json& old : list_in(plugin, "retired"))
        rows.push_back({{"retired:"},
                        {"generation " + text_of(old, "generation") + ", version " + text_of(old, "version") +
                         (text_of(old, "loaded") == "true" ? ", still loaded" : "")}});
    print_table(rows);
    print_methods(plugin);
}

// The server advises in terms of its routes; whoever types commands is told the command.
Failure in_our_words(Failure failure) {
    for (const auto& [route, command] : {std::pair<std::string_view, const char*>{"?force=true", "--force"},
                                         {"POST /v1/plugins", "keelctl plugin add"}}) {
        const std::size_t at = failure.message.find(route);
        if (at != std::string::npos) failure.message.replace(at, route.size(), command);
    }
    return failure;
}

Result<Answer> ask(const Settings& settings, const Call& request) {
    const auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    return call(*server, request).map_error(in_our_words);
}

// The answer is the plugin as it is now.
Result<void> change(const Settings& settings, const Call& request, const std::string& done) {
    const auto answer = ask(settings, request);
    if (!answer) return tl::unexpected(answer.error());
    const auto plugin = parse_answer(answer->body);
    if (!plugin) return tl::unexpected(plugin.error());
    if (settings.wants_document()) {
        print_document(answer->body, settings.format);
        return {};
    }
    const std::string reason = text_of(*plugin, "reason");
    print(printable("plugin " + text_of(*plugin, "name") + " " + text_of(*plugin, "version") + " " + done +
                    ": " + text_of(*plugin, "state") + (reason.empty() ? "" : " (" + reason + ")")) +
          "\n");
    return {};
}

}  // namespace

Result<void> list_plugins(const Settings& settings) {
    const auto answer = ask(settings, {.path = "/v1/plugins"});
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document()) {
        print_document(answer->body, settings.format);
        return {};
    }
    std::vector<Row> rows{
        {{"NAME"}, {"KIND"}, {"VERSION"}, {"STATE"}, {"ISOLATION"}, {"PID"}, {"RESTARTS"}, {"REASON"}}};
    for (const Json& plugin : list_in(*document, "items")) rows.push_back(row_of(plugin));
    print_table(rows);
    return {};
}

Result<void> describe_plugin(const Settings& settings, const std::string& name) {
    const auto answer = ask(settings, {.path = plugin_path(name)});
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document())
        print_document(answer->body, settings.format);
    else
        print_description(*document);
    return {};
}

Result<void> add_plugin(const Settings& settings, const NewPlugin& plugin) {
    Json body{{"manifest", whole_path(plugin.manifest)}};
    if (!plugin.name.empty()) body["name"] = plugin.name;
    if (!plugin.isolation.empty()) body["isolation"] = plugin.isolation;
    if (!plugin.sha256.empty()) body["sha256"] = plugin.sha256;
    if (!plugin.config.empty()) {
        auto config = read_config(plugin.config);
        if (!config) return tl::unexpected(config.error());
        body["config"] = std::move(*config);
    }
    return change(settings, {.method = "POST", .path = "/v1/plugins", .body = body.dump()}, "added");
}

Result<void> configure_plugin(const Settings& settings, const std::string& name, const std::string& config) {
    const auto document = read_config(config);
    if (!document) return tl::unexpected(document.error());
    return change(settings,
                  {.method = "PUT", .path = plugin_path(name) + "/config", .body = document->dump()},
                  "configured");
}

Result<void> accept_objects(const Settings& settings, const std::string& name, bool nothing) {
    Json wanted = Json::array();
    if (!nothing) {
        const auto answer = ask(settings, {.path = plugin_path(name)});
        if (!answer) return tl::unexpected(answer.error());
        const auto plugin = parse_answer(answer->body);
        if (!plugin) return tl::unexpected(plugin.error());
        const Json objects = plugin->value("objects", Json::object());
        for (const char* part : {"accepted", "waiting"})
            for (const Json& access : list_in(objects, part)) wanted.push_back(access);
        if (wanted.empty()) return fail("plugin " + printable(name) + " asks for no objects");
    }
    const Json body{{"objects", std::move(wanted)}};
    return change(settings, {.method = "PUT", .path = plugin_path(name) + "/objects", .body = body.dump()},
                  "may read its objects");
}

Result<void> act_on_plugin(const Settings& settings, const std::string& name, const std::string& action) {
    // enable, disable and reload: enabled, disabled, reloaded.
    return change(settings, {.method = "POST", .path = plugin_path(name) + "/" + action},
                  action + (action.ends_with('e') ? "d" : "ed"));
}

Result<void> replace_plugin(const Settings& settings, const std::string& name, const std::string& manifest) {
    const Json body{{"manifest", whole_path(manifest)}};
    return change(settings, {.method = "POST", .path = plugin_path(name) + "/replace", .body = body.dump()},
                  "replaced");
}

Result<void> remove_plugin(const Settings& settings, const std::string& name, bool force) {
    const auto answer =
        ask(settings, {.method = "DELETE", .path = plugin_path(name) + (force ? "?force=true" : "")});
    if (!answer) return tl::unexpected(answer.error());
    // The server has nothing to say of what is gone.
    if (settings.wants_document())
        print_document(text_of(Json{{"name", name}, {"removed", true}}), settings.format);
    else
        print("plugin " + printable(name) + " removed\n");
    return {};
}

Result<void> trace_plugin(const Settings& settings, const std::string& name, int seconds) {
    if (settings.format == Format::yaml)
        return fail("a trace is JSON, one document a line: leave -o out, or say -o json", exit_usage);
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    Call request{.path = plugin_path(name) + "/trace"};
    if (seconds > 0) request.path += "?seconds=" + std::to_string(seconds);
    // Nothing may happen for long.
    request.patience = std::chrono::hours(24 * 365);
    const auto print_now = [](std::string_view piece) { return print(piece) && std::fflush(stdout) == 0; };
    const auto answer = download(*server, request, print_now);
    if (!answer) return tl::unexpected(in_our_words(answer.error()));
    return {};
}

}  // namespace keelson::cli
