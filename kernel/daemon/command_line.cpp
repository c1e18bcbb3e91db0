#include <CLI/CLI.hpp>

#include "kernel/daemon/config.h"
#include "kernel/daemon/version.h"

namespace keelson::daemon {

base::Result<CommandLine> parse_command_line(int count, const char* const* arguments) {
    CommandLine line;
    CLI::App app("Keelson: a container orchestrator that speaks the Kubernetes API", "keelsond");
    app.option_defaults()->always_capture_default(false);
    app.add_option("--data-dir", line.data_directory, "Where everything is kept (default /var/lib/keelson)")
        ->type_name("DIR");
    app.add_option("--config", line.config_file, "Configuration file, YAML")->type_name("FILE");
    app.add_option("--api-port", line.api_port, "Port of the Kubernetes API (default 6443, 0: any free one)")
        ->type_name("N");
    app.add_option("--admin-port", line.admin_port, "Port of the admin API (default 6444, 0: any free one)")
        ->type_name("N");
    app.add_option("--roles", line.roles, "Which parts run here: api,control,scheduler,node (default all)")
        ->type_name("LIST");
    app.add_option("--join", line.join_server, "The API of the cluster to join, with --roles node")
        ->type_name("https://HOST:PORT");
    app.add_option("--token", line.join_token, "A bootstrap token, for the first start")
        ->type_name("ID.SECRET");
    app.add_option("--ca-hash", line.join_ca_hash, "Hash of the cluster's CA, for the first start")
        ->type_name("sha256:HEX");
    app.set_version_flag("--version", std::string("keelsond ") + keelson_version);
    try {
        app.parse(count, arguments);
    } catch (const CLI::CallForHelp&) {
        line.early_exit_text = app.help();
    } catch (const CLI::CallForVersion& version) {
        line.early_exit_text = std::string(version.what()) + "\n";
    } catch (const CLI::ParseError& error) {
        return base::Status(base::Reason::bad_request, std::string(error.what()) + "; see keelsond --help");
    }
    return line;
}

}  // namespace keelson::daemon
