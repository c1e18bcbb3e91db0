#include "cli/kube/kubeconfig.h"

#include <unistd.h>

#include <Poco/Exception.h>
#include <Poco/URI.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/kube/exec_credential.h"
#include "cli/kube/failures.h"
#include "kernel/base/base64.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

const Object kNothing;
constexpr std::size_t kLongestFile = 16u << 20;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::vector<std::string> split_paths(const std::string& list) {
    std::vector<std::string> paths;
    std::size_t begin = 0;
    while (begin <= list.size()) {
        const std::size_t end = std::min(list.find(':', begin), list.size());
        if (end > begin) paths.push_back(list.substr(begin, end - begin));
        begin = end + 1;
    }
    return paths;
}

Result<std::string> read_text_file(const std::string& path) {
    auto text = base::read_file(path, kLongestFile);
    if (!text) return fail(text.error().message());
    return std::move(*text);
}

// The member `name`-data in base64, else the file that `name` names.
Result<std::string> data_or_file(const Object& entry, const std::string& name) {
    const std::string data = text_at(entry, name + "-data");
    if (!data.empty()) {
        auto bytes = base::base64_decode(data);
        if (!bytes)
            return fail("the kubeconfig's " + name + "-data is not base64: " + bytes.error().message());
        return std::move(*bytes);
    }
    const std::string file = text_at(entry, name);
    if (file.empty()) return std::string();
    auto text = read_text_file(file);
    if (!text) return fail("unable to read " + name + " " + text.error().message);
    return text;
}

std::string without_end(std::string text, std::string_view letters) {
    while (!text.empty() && letters.find(text.back()) != std::string_view::npos) text.pop_back();
    return text;
}

Result<void> read_server_url(std::string url, Server& server) {
    if (url.find("://") == std::string::npos) url.insert(0, "http://");
    try {
        const Poco::URI uri(url);
        if (uri.getHost().empty() || (uri.getScheme() != "https" && uri.getScheme() != "http"))
            return fail("the server must be like https://HOST:6443, not '" + url + "'");
        server.is_plain = uri.getScheme() == "http";
        server.host = uri.getHost();
        server.port = uri.getPort();
        server.base_path = without_end(uri.getPath(), "/");
    } catch (const Poco::Exception&) {
        return fail("the server must be like https://HOST:6443, not '" + url + "'");
    }
    return {};
}

Result<void> read_cluster(const Object& cluster, const Globals& globals, Server& server) {
    const std::string url = globals.server.empty() ? text_at(cluster, "server") : globals.server;
    if (auto good = read_server_url(url, server); !good) return good;
    server.trusts_anything =
        globals.is_insecure || member(cluster, "insecure-skip-tls-verify") == Object(true);
    server.tls_server_name =
        globals.tls_server_name.empty() ? text_at(cluster, "tls-server-name") : globals.tls_server_name;
    Object authority = cluster;
    if (!globals.certificate_authority.empty())
        authority = {{"certificate-authority", globals.certificate_authority}};
    auto pem = data_or_file(authority, "certificate-authority");
    if (!pem) return pass_on(pem);
    server.authority = std::move(*pem);
    return {};
}

Result<void> read_user(Object user, const Globals& globals, Server& server) {
    if (!user.is_object()) user = Object::object();
    if (!globals.client_certificate.empty()) {
        user.erase("client-certificate-data");
        user["client-certificate"] = globals.client_certificate;
    }
    if (!globals.client_key.empty()) {
        user.erase("client-key-data");
        user["client-key"] = globals.client_key;
    }
    auto certificate = data_or_file(user, "client-certificate");
    auto key = data_or_file(user, "client-key");
    if (!certificate) return pass_on(certificate);
    if (!key) return pass_on(key);
    server.certificate = std::move(*certificate);
    server.key = std::move(*key);
    server.user = globals.username.empty() ? text_at(user, "username") : globals.username;
    server.password = globals.password.empty() ? text_at(user, "password") : globals.password;
    server.token = globals.token.empty() ? text_at(user, "token") : globals.token;
    const std::string token_file = text_at(user, "tokenFile");
    if (!token_file.empty() && globals.token.empty()) {
        auto token = read_text_file(token_file);
        if (!token) return pass_on(token);
        server.token = without_end(std::move(*token), " \r\n");
    }
    if (member(user, "exec").is_object() && server.token.empty())
        return run_exec_credential(member(user, "exec"), server);
    return {};
}

void impersonate(const Object& user, const Globals& globals, Server& server) {
    const std::string as = globals.as.empty() ? text_at(user, "as") : globals.as;
    if (!as.empty()) server.headers["Impersonate-User"] = as;
    if (!globals.as_uid.empty()) server.headers["Impersonate-Uid"] = globals.as_uid;
    std::vector<std::string> groups = globals.as_groups;
    if (groups.empty() && member(user, "as-groups").is_array())
        for (const Object& group : member(user, "as-groups"))
            if (group.is_string()) groups.push_back(group.get<std::string>());
    server.impersonated_groups = groups;
}

// What a pod is given of the API.
Result<Connection> connection_of_pod() {
    const std::string directory = "/var/run/secrets/kubernetes.io/serviceaccount/";
    Connection connection;
    const std::string host = environment("KUBERNETES_SERVICE_HOST");
    const std::string port = environment("KUBERNETES_SERVICE_PORT");
    if (host.empty() || port.empty() || ::access((directory + "token").c_str(), R_OK) != 0) {
        connection.is_configured = false;
        return connection;
    }
    const std::string bracketed = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (auto good = read_server_url("https://" + bracketed + ":" + port, connection.server); !good)
        return pass_on(good);
    auto token = read_text_file(directory + "token");
    auto authority = read_text_file(directory + "ca.crt");
    if (!token) return pass_on(token);
    if (!authority) return pass_on(authority);
    connection.server.token = without_end(std::move(*token), " \r\n");
    connection.server.authority = std::move(*authority);
    if (auto name = read_text_file(directory + "namespace"))
        connection.namespace_name = without_end(std::move(*name), " \r\n");
    return connection;
}

void merge_list(Object& merged, const Object& file, const std::string& list) {
    if (!member(file, list).is_array()) return;
    for (const Object& entry : member(file, list)) {
        bool is_known = false;
        for (const Object& known : merged[list]) is_known |= text_at(known, "name") == text_at(entry, "name");
        if (!is_known) merged[list].push_back(entry);
    }
}

}  // namespace

KubeconfigPaths kubeconfig_paths(const Globals& globals) {
    const auto admins = [](const std::string& directory) { return directory + "/admin.kubeconfig"; };
    if (!globals.kubeconfig.empty()) return {{globals.kubeconfig}, true};
    if (!globals.data_directory.empty()) return {{admins(globals.data_directory)}, true};
    std::vector<std::string> paths = split_paths(environment("KUBECONFIG"));
    if (paths.empty() && !environment("HOME").empty()) paths.push_back(environment("HOME") + "/.kube/config");
    for (const std::string& path : paths)
        if (base::exists(path)) return {paths};
    const std::string named = environment("KEELSON_DATA_DIR");
    const std::string local = admins(named.empty() ? "/var/lib/keelson" : named);
    // Only as a last resort: what the environment names is where `config` writes.
    if (::access(local.c_str(), R_OK) == 0) paths.push_back(local);
    return {paths};
}

Result<Object> read_kubeconfig_file(const std::string& path) {
    auto text = read_text_file(path);
    if (!text) return pass_on(text);
    auto file = object_of_yaml(*text, "error loading config file \"" + path + "\"");
    if (!file) return file;
    if (file->is_null()) return Object(Object::object());
    if (!file->is_object()) return fail("error loading config file \"" + path + "\": it is no kubeconfig");
    return file;
}

void make_paths_absolute(Object& kubeconfig, const std::string& directory) {
    const auto fix = [&](const char* list, const char* entry, std::initializer_list<const char*> names) {
        if (!kubeconfig.contains(list) || !kubeconfig[list].is_array()) return;
        for (Object& named : kubeconfig[list])
            for (const char* name : names) {
                const std::string path = text_at(member(named, entry), name);
                if (!path.empty() && path[0] != '/')
                    named[entry][name] =
                        (std::filesystem::path(directory) / path).lexically_normal().string();
            }
    };
    fix("clusters", "cluster", {"certificate-authority"});
    fix("users", "user", {"client-certificate", "client-key", "tokenFile"});
}

Object merge_kubeconfigs(const std::vector<Object>& files) {
    Object merged = {{"apiVersion", "v1"},
                     {"kind", "Config"},
                     {"preferences", Object::object()},
                     {"clusters", Object::array()},
                     {"contexts", Object::array()},
                     {"users", Object::array()},
                     {"current-context", ""}};
    for (const Object& file : files) {
        for (const char* list : {"clusters", "contexts", "users"}) merge_list(merged, file, list);
        if (text_at(merged, "current-context").empty())
            merged["current-context"] = text_at(file, "current-context");
    }
    return merged;
}

Result<Object> load_kubeconfig(const KubeconfigPaths& paths) {
    std::vector<Object> files;
    for (const std::string& path : paths.paths) {
        if (!base::exists(path)) {
            if (paths.must_exist) return fail("stat " + path + ": no such file or directory");
            continue;
        }
        auto file = read_kubeconfig_file(path);
        if (!file) return file;
        make_paths_absolute(*file, std::filesystem::absolute(path).parent_path().string());
        files.push_back(std::move(*file));
    }
    return merge_kubeconfigs(files);
}

const Object& named_entry(const Object& kubeconfig, const std::string& list, const std::string& name) {
    const std::string kind = list.substr(0, list.size() - 1);
    const Object& entries = member(kubeconfig, list);
    if (!entries.is_array()) return kNothing;
    for (const Object& entry : entries)
        if (text_at(entry, "name") == name) return member(entry, kind);
    return kNothing;
}

Result<Connection> connection_of(const Object& kubeconfig, const Globals& globals) {
    const std::string context_name =
        globals.context.empty() ? text_at(kubeconfig, "current-context") : globals.context;
    const Object& context = named_entry(kubeconfig, "contexts", context_name);
    if (context.is_null() && !globals.context.empty())
        return tl::unexpected(
            whole("Error in configuration: context was not found for specified context: " + globals.context));
    const std::string cluster_name = globals.cluster.empty() ? text_at(context, "cluster") : globals.cluster;
    const std::string user_name = globals.user.empty() ? text_at(context, "user") : globals.user;
    const Object& cluster = named_entry(kubeconfig, "clusters", cluster_name);
    const Object& user = named_entry(kubeconfig, "users", user_name);
    if (cluster.is_null() && !globals.cluster.empty())
        return fail("cluster \"" + cluster_name + "\" does not exist");
    if (user.is_null() && !globals.user.empty())
        return fail("auth info \"" + user_name + "\" does not exist");
    if (cluster.is_null() && globals.server.empty()) return connection_of_pod();
    Connection connection;
    if (auto good = read_cluster(cluster, globals, connection.server); !good) return pass_on(good);
    if (auto good = read_user(user, globals, connection.server); !good) return pass_on(good);
    impersonate(user, globals, connection.server);
    if (!text_at(context, "namespace").empty()) connection.namespace_name = text_at(context, "namespace");
    return connection;
}

}  // namespace keelson::cli::kube
