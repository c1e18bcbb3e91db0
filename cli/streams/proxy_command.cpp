// keelctl proxy
#include <filesystem>

#include "cli/kube/command.h"
#include "cli/output.h"
#include "cli/streams/proxy_server.h"
#include "cli/streams/stream_commands.h"

namespace keelson::cli::kube {
namespace {

constexpr std::int64_t kHighestPort = 65535;

class Proxy : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.text("address", wish_.address, "The IP address to listen on");
        flags.number("p,port", port_, "The port to listen on; 0: any that is free");
        flags.text("u,unix-socket", wish_.unix_socket, "Listen on this Unix socket instead");
        flags.text("api-prefix", wish_.api_prefix, "Under which path the API is");
        flags.text("w,www", wish_.www, "Give the files of this directory too");
        flags.text("P,www-prefix", wish_.www_prefix, "Under which path the files are");
        flags.text("accept-hosts", rules_.accept_hosts,
                   "Regular expressions of hosts that requests may name");
        flags.text("accept-paths", rules_.accept_paths, "Regular expressions of paths that pass");
        flags.text("reject-paths", rules_.reject_paths, "Regular expressions of paths that do not pass");
        flags.text("reject-methods", rules_.reject_methods,
                   "Regular expressions of methods that do not pass");
        flags.flag("disable-filter", has_no_filter_,
                   "Pass everything on: dangerous, as web pages of a browser may ask too");
        flags.flag("append-server-path", wish_.appends_server_path,
                   "Put the path of the server's address before that of each request");
        flags.duration("keepalive", ignored_, "Taken for the sake of scripts");
    }

    Result<void> run(Session& session, const Words& /*words*/) override {
        if (!wish_.unix_socket.empty() && flags().was_given("port"))
            return fail("cannot set --unix-socket and --port at the same time");
        if (port_ < 0 || port_ > kHighestPort)
            return fail("listen tcp: address " + std::to_string(port_) + ": invalid port");
        wish_.port = static_cast<std::uint16_t>(port_);
        for (std::string* prefix : {&wish_.api_prefix, &wish_.www_prefix}) {
            if (!prefix->starts_with('/')) prefix->insert(0, "/");
            if (!prefix->ends_with('/')) *prefix += '/';
        }
        warn_of_directory();
        if (auto good = make_filter(); !good) return good;
        const auto api = session.api();
        if (!api) return pass_on(api);
        return streams::serve_proxy((*api)->server(), wish_, [](const std::string& where) {
            print("Starting to serve on " + where + "\n");
            (void)flush_output();
        });
    }

  private:
    void warn_of_directory() const {
        if (wish_.www.empty()) return;
        std::error_code error;
        const auto status = std::filesystem::status(wish_.www, error);
        if (!std::filesystem::exists(status))
            warn("W Failed to stat static file directory " + wish_.www + ": it is not there");
        else if (!std::filesystem::is_directory(status))
            warn("W Static file directory " + wish_.www + " is not a directory");
    }

    Result<void> make_filter() {
        if (has_no_filter_) {
            if (wish_.unix_socket.empty())
                warn(
                    "W Request filter disabled, your proxy is vulnerable to XSRF attacks, please be "
                    "cautious");
            return {};
        }
        auto filter = streams::ProxyFilter::make(rules_);
        if (!filter) return pass_on(filter);
        wish_.filter = std::move(*filter);
        return {};
    }

    streams::ProxyWish wish_;
    streams::ProxyFilter::Rules rules_{.accept_hosts = R"(^localhost$,^127\.0\.0\.1$,^\[::1\]$)",
                                       .accept_paths = "^.*",
                                       .reject_methods = "^$",
                                       .reject_paths = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"};
    std::int64_t port_ = 8001;
    bool has_no_filter_ = false;
    std::int64_t ignored_ = 0;
};

}  // namespace

void add_proxy_command(Registry& registry) {
    registry.add<Proxy>(
        "proxy", "Troubleshooting and Debugging Commands",
        "[--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix] [options]",
        "Serve the API on this machine, as the user of the kubeconfig",
        "  keelctl proxy --port=8080\n  keelctl proxy --www=site --api-prefix=/k8s");
}

}  // namespace keelson::cli::kube
