// keelctl's commands over the admin API, one function each. They print what they did.
#pragma once

#include <cstdint>
#include <string>

#include "cli/output.h"
#include "cli/result.h"
#include "cli/server.h"

namespace keelson::cli {

// What all commands take.
struct Settings {
    ServerOptions server;
    Format format = Format::people;

    [[nodiscard]] bool wants_document() const { return format != Format::people; }
};

struct NewPlugin {
    std::string manifest;
    std::string name;
    std::string config;  // JSON, or @ and a file that holds it
    std::string isolation;
    std::string sha256;
};

Result<void> list_plugins(const Settings& settings);
Result<void> describe_plugin(const Settings& settings, const std::string& name);
Result<void> add_plugin(const Settings& settings, const NewPlugin& plugin);
// `config` is JSON, or @ and a file that holds it.
// Everything that it asks for; with `nothing` it may read nothing any more.
Result<void> accept_objects(const Settings& settings, const std::string& name, bool nothing);
Result<void> configure_plugin(const Settings& settings, const std::string& name, const std::string& config);
// The action is enable, disable or reload.
Result<void> act_on_plugin(const Settings& settings, const std::string& name, const std::string& action);
Result<void> replace_plugin(const Settings& settings, const std::string& name, const std::string& manifest);
Result<void> remove_plugin(const Settings& settings, const std::string& name, bool force);
// 0 seconds: until the server or the reader of the output goes.
Result<void> trace_plugin(const Settings& settings, const std::string& name, int seconds);

Result<void> save_snapshot(const Settings& settings, const std::string& file, bool force);
Result<void> restore_snapshot(const Settings& settings, const std::string& file);

Result<void> list_images(const Settings& settings);
Result<void> pull_image(const Settings& settings, const std::string& image);
// An archive of `docker save`, or an OCI archive; an empty name takes those in the archive.
Result<void> import_images(const Settings& settings, const std::string& file, const std::string& name);
Result<void> remove_image(const Settings& settings, const std::string& image);

Result<void> show_store(const Settings& settings);
// Shows what would change first; without `is_agreed` it asks on a terminal and refuses elsewhere.
Result<void> roll_back(const Settings& settings, std::uint64_t revision, const std::string& prefix,
                       bool is_agreed);

// An empty level only asks.
Result<void> log_level(const Settings& settings, const std::string& level);

}  // namespace keelson::cli
