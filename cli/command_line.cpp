#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/kube/command.h"
#include "cli/output.h"
#include "cli/plugin_skeleton.h"

namespace keelson::cli {
namespace {

// Where the parser puts what it reads; lives as long as the command.
struct Line {
    Settings settings;
    std::string output = "table";
    std::string name, file, text;
    NewPlugin plugin;
    PluginSkeleton skeleton{.name = {}, .kind = "volume", .vendor = "com.example", .directory = "."};
    bool force = false;
    bool nothing = false;
    bool is_agreed = false;
    int seconds = 0;
    std::uint64_t revision = 0;
    Command chosen;
};

template <typename Function>
CLI::App* leaf(CLI::App& parent, Line& line, const char* name, const char* help, Function function) {
    CLI::App* command = parent.add_subcommand(name, help);
    command->final_callback(
        [&line, function] { line.chosen = [&line, function] { return function(line); }; });
    return command;
}

void need_name(CLI::App* command, Line& line) {
    command->add_option("NAME", line.name, "The plugin's name")->required();
}

void add_global_options(CLI::App& app, Line& line) {
    app.add_option("--admin", line.settings.server.admin_url, "The admin API, like https://HOST:6444")
        ->type_name("URL");
    app.add_option("--token-file", line.settings.server.token_file,
                   "The token to ask with (default DIR/admin.token)")
        ->type_name("FILE");
    app.add_option("--ca-file", line.settings.server.ca_file,
                   "The authority of the server's certificate (default DIR/pki/ca.crt)")
        ->type_name("FILE");
    app.add_option("--data-dir", line.settings.server.data_directory,
                   "keelsond's data directory on this machine (default /var/lib/keelson)")
        ->type_name("DIR")
        ->envname("KEELSON_DATA_DIR");
    app.add_option("-o,--output", line.output, "table; json or yaml: documents for programs")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"table", "json", "yaml"}));
}

void add_changes(CLI::App& plugin, Line& line) {
    CLI::App* add = leaf(plugin, line, "add", "Add a plugin from its manifest",
                         [](Line& l) { return add_plugin(l.settings, l.plugin); });
    add->add_option("MANIFEST", line.plugin.manifest, "The manifest's file, on the server")->required();
    add->add_option("--name", line.plugin.name, "How it will be called (default: the manifest's name)");
    add->add_option("--config", line.plugin.config, "Its configuration: JSON, or @FILE");
    add->add_option("--isolation", line.plugin.isolation, "process (the default) or in-process")
        ->check(CLI::IsMember({"process", "in-process"}));
    add->add_option("--sha256", line.plugin.sha256, "That its library must have");

    CLI::App* configure = leaf(plugin, line, "configure", "Replace a plugin's configuration",
                               [](Line& l) { return configure_plugin(l.settings, l.name, l.text); });
    need_name(configure, line);
    configure->add_option("CONFIG", line.text, "JSON, or @FILE")->required();

    CLI::App* accept = leaf(plugin, line, "accept", "Let a plugin read the objects that it asks for",
                            [](Line& l) { return accept_objects(l.settings, l.name, l.nothing); });
    need_name(accept, line);
    accept->add_flag("--nothing", line.nothing, "It may read nothing any more");

    CLI::App* replace = leaf(plugin, line, "replace", "Let another manifest of the same id take over",
                             [](Line& l) { return replace_plugin(l.settings, l.name, l.file); });
    need_name(replace, line);
    replace->add_option("MANIFEST", line.file, "The manifest's file, on the server")->required();

    CLI::App* remove = leaf(plugin, line, "remove", "Remove a plugin",
                            [](Line& l) { return remove_plugin(l.settings, l.name, l.force); });
    need_name(remove, line);
    remove->add_flag("--force", line.force, "Also when it is in use");
}

void add_plugin_commands(CLI::App& app, Line& line) {
    CLI::App& plugin = *app.add_subcommand("plugin", "The server's plugins");
    plugin.require_subcommand(1);
    leaf(plugin, line, "list", "All plugins and how they are",
         [](Line& l) { return list_plugins(l.settings); });
    need_name(leaf(plugin, line, "describe", "All about one plugin",
                   [](Line& l) { return describe_plugin(l.settings, l.name); }),
              line);
    add_changes(plugin, line);
    for (const auto& [action, help] : {std::pair{"enable", "Start a disabled plugin"},
                                       std::pair{"disable", "Stop a plugin; it stays listed"},
                                       std::pair{"reload", "Load a plugin's files again"}})
        need_name(leaf(plugin, line, action, help,
                       [name = action](Line& l) { return act_on_plugin(l.settings, l.name, name); }),
                  line);
    CLI::App* fresh = leaf(plugin, line, "new", "Write the first files of a plugin of one's own",
                           [](Line& l) { return make_plugin_skeleton(l.settings, l.skeleton); });
    fresh->add_option("NAME", line.skeleton.name, "How it will be called, such as my-disk")->required();
    fresh->add_option("--kind", line.skeleton.kind,
                      "volume (the default), auth, ingress, network or runtime");
    fresh->add_option("--vendor", line.skeleton.vendor, "What its id begins with (default com.example)");
    fresh->add_option("--directory", line.skeleton.directory, "Where its own is made (default: here)");
    CLI::App* trace = leaf(plugin, line, "trace", "A plugin's calls as they happen, one JSON document a line",
                           [](Line& l) { return trace_plugin(l.settings, l.name, l.seconds); });
    need_name(trace, line);
    trace->add_option("--seconds", line.seconds, "How long (default: until it is ended)")
        ->check(CLI::Range(1, 3600));
}

void add_snapshot_commands(CLI::App& app, Line& line) {
    CLI::App& snapshot = *app.add_subcommand("snapshot", "Whole copies of the store");
    snapshot.require_subcommand(1);
    CLI::App* save = leaf(snapshot, line, "save", "Save a snapshot of the running store",
                          [](Line& l) { return save_snapshot(l.settings, l.file, l.force); });
    save->add_option("FILE", line.file, "Where to")->required();
    save->add_flag("--force", line.force, "Overwrite the file");
    leaf(snapshot, line, "restore", "Stage a snapshot: it takes the store's place at the next start",
         [](Line& l) { return restore_snapshot(l.settings, l.file); })
        ->add_option("FILE", line.file, "The snapshot")
        ->required();
}

void add_image_commands(CLI::App& app, Line& line) {
    CLI::App& image = *app.add_subcommand("image", "The images of the server's node");
    image.require_subcommand(1);
    leaf(image, line, "list", "All images", [](Line& l) { return list_images(l.settings); });
    leaf(image, line, "pull", "Get an image from its registry",
         [](Line& l) { return pull_image(l.settings, l.name); })
        ->add_option("IMAGE", line.name, "Such as docker.io/library/nginx:1")
        ->required();
    CLI::App* import = leaf(image, line, "import", "Take the images of an archive (docker save, OCI)",
                            [](Line& l) { return import_images(l.settings, l.file, l.name); });
    import->add_option("FILE", line.file, "The archive, on this machine")->required();
    import->add_option("--name", line.name, "Instead of the names in the archive");
    leaf(image, line, "rm", "Remove an image that no container uses",
         [](Line& l) { return remove_image(l.settings, l.name); })
        ->add_option("IMAGE", line.name, "A name or an id")
        ->required();
}

void add_store_commands(CLI::App& app, Line& line) {
    CLI::App& store = *app.add_subcommand("store", "The server's store");
    store.require_subcommand(1);
    leaf(store, line, "status", "Revisions and sizes", [](Line& l) { return show_store(l.settings); });
    CLI::App* rollback = leaf(store, line, "rollback", "Bring keys back to their state at a revision",
                              [](Line& l) { return roll_back(l.settings, l.revision, l.text, l.is_agreed); });
    rollback->add_option("--to", line.revision, "The revision")->required()->type_name("REVISION");
    rollback->add_option("--prefix", line.text, "Only keys that begin with it");
    rollback->add_flag("--yes", line.is_agreed, "Do it without a question");
}

void add_system_commands(CLI::App& app, Line& line) {
    leaf(app, line, "log-level", "Show or set the level of the server's log", [](Line& l) {
        return log_level(l.settings, l.text);
    })->add_option("LEVEL", line.text, "debug, info, warning, error or off");
}

// As far as the line was understood.
CLI::App* deepest(CLI::App& app) {
    const auto parsed = app.get_subcommands();
    return parsed.empty() ? &app : deepest(*parsed.front());
}

std::string known_in(CLI::App& app) {
    std::string names;
    const auto add = [&names](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        add(command->get_name());
    if (!names.empty()) return names;
    for (const CLI::App* at = &app; at != nullptr; at = at->get_parent())
        for (const CLI::Option* option : at->get_options())
            if (option->get_name() != "--help") add(option->get_name());
    return names;
}

Failure bad_use(CLI::App& app, const CLI::ParseError& error) {
    CLI::App* at = deepest(app);
    std::string command = "keelctl";
    std::string names;
    for (CLI::App* step = at; step != &app; step = step->get_parent())
        names.insert(0, " " + step->get_name());
    // A word that is not known is more to the point than what is missing because of it.
    const auto extra = app.remaining(true);
    const std::string what = extra.empty() ? error.what() : "'" + extra.front() + "' is not known";
    return {what + "; known here: " + known_in(*at) + " (see " + command + names + " --help)", exit_usage};
}

Command print_text(std::string text) {
    return [text = std::move(text)]() -> Result<void> {
        print(text);
        return {};
    };
}

// Of the admin API; the rest is in the registry.
constexpr std::pair<const char*, const char*> kAdminCommands[] = {
    {"plugin", "The server's plugins"},
    {"snapshot", "Whole copies of the store"},
    {"store", "The server's store"},
    {"image", "The images of the server's node"},
    {"log-level", "Show or set the level of the server's log"}};

std::string overview() {
    std::string text = "keelctl works on the objects of a cluster, and on the keelsond that serves it.\n\n";
    std::vector<kube::CommandEntry> own;
    for (const auto& [name, help] : kAdminCommands)
        own.push_back({name, "Server Commands", "", help, "", {}});
    return text + kube::registry().overview(own) +
           "Use \"keelctl COMMAND --help\" for more about a command, and \"keelctl options\" for the "
           "options of all.\n";
}

std::string global_options() {
    kube::Flags flags;
    kube::Globals globals;
    kube::add_global_flags(flags, globals);
    return "All commands about the cluster's objects take these:\n\n" + flags.help(true);
}

bool is_help(const std::string& word) {
    return word == "help" || word == "--help" || word == "-h";
}

// Nothing for the commands of the admin API.
std::optional<Result<Command>> kubernetes_command(std::vector<std::string> words) {
    if (words.empty() || (words.size() == 1 && is_help(words[0]))) return print_text(overview());
    if (words[0] == "options") return print_text(global_options());
    if (words[0] == "help") {
        words.erase(words.begin());
        words.push_back("--help");
    }
    if (kube::registry().knows(words)) return Command([words] { return kube::registry().run(words); });
    const std::string first = kube::Registry::first_word(words);
    std::vector<std::string> names;
    for (const auto& [name, help] : kAdminCommands) names.emplace_back(name);
    // Only the other parser knows the flags that may stand before these.
    for (const std::string& name : names)
        if (std::find(words.begin(), words.end(), name) != words.end()) return std::nullopt;
    if (first.empty()) return std::nullopt;
    for (const kube::CommandEntry& entry : kube::registry().entries())
        if (!entry.heading.empty()) names.push_back(entry.path);
    return tl::unexpected(kube::unknown_command(first, "keelctl", names));
}

}  // namespace

Result<Command> parse_command_line(int count, const char* const* arguments) {
    const std::vector<std::string> words(arguments + std::min(count, 1), arguments + count);
    if (auto found = kubernetes_command(words)) return std::move(*found);
    const auto line = std::make_shared<Line>();
    CLI::App app("Keelson's own commands, over the admin API of keelsond", "keelctl");
    app.option_defaults()->always_capture_default(false);
    // Options of the program may stand behind a command.
    app.fallthrough();
    app.require_subcommand(1);
    add_global_options(app, *line);
    add_plugin_commands(app, *line);
    add_snapshot_commands(app, *line);
    add_image_commands(app, *line);
    add_store_commands(app, *line);
    add_system_commands(app, *line);
    try {
        app.parse(count, arguments);
    } catch (const CLI::CallForHelp&) {
        return print_text(app.help());
    } catch (const CLI::ParseError& error) {
        return tl::unexpected(bad_use(app, error));
    }
    if (line->output != "table") line->settings.format = line->output == "yaml" ? Format::yaml : Format::json;
    return Command([line] { return line->chosen(); });
}

}  // namespace keelson::cli
