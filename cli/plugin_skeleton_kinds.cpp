#include "cli/plugin_skeleton_kinds.h"

namespace keelson::cli {
namespace {

constexpr const char* kAuth = R"(#include <keelson/auth.hpp>

namespace authentication = keelson::authentication;

// Knows one token, that of its configuration. keelson/auth.h says what the method has to do.
class @CLASS@ : public keelson::AuthenticatorPlugin {
  public:
    @CLASS@(keelson::Host /*host*/, const keelson::Json& configuration)
        : token_(configuration.value("token", "")), username_(configuration.value("username", "")) {}

    authentication::Authenticated authenticate(const authentication::Authenticate& request) {
        authentication::Authenticated answer;
        if (token_.empty() || request.token != token_) return answer;
        answer.authenticated = true;
        answer.user = authentication::User{username_, "", {}, {}};
        return answer;
    }

  private:
    std::string token_;
    std::string username_;
};

KEELSON_PLUGIN(@CLASS@, "@ID@", "1.0.0")
)";

constexpr const char* kIngress = R"(#include <filesystem>
#include <fstream>
#include <keelson/ingress.hpp>
#include <map>
#include <mutex>

namespace fs = std::filesystem;
namespace ingress = keelson::ingress;

// Writes the rules, hosts and paths with their backends, to rules.json in its state directory, for whatever takes the
// traffic at the address of its configuration. keelson/ingress.h says what every method has to do.
class @CLASS@ : public keelson::IngressPlugin {
  public:
    @CLASS@(keelson::Host host, const keelson::Json& configuration)
        : file_(fs::path(host.state_directory()) / "rules.json"), address_(configuration.value("address", "")) {}

    ingress::Applied apply(const ingress::Apply& request) {
        const std::lock_guard<std::mutex> held(lock_);
        Table wanted = request.full ? Table() : table_;
        ingress::Applied answer{request.generation, {}};
        for (const ingress::Rule& rule : request.set) {
            wanted.erase(rule.id);
            // A private key has no place in this file.
            if (rule.tls)
                answer.refused.push_back({rule.id, "this plugin serves no TLS"});
            else
                wanted[rule.id] = rule;
        }
        for (const std::string& id : request.removed) wanted.erase(id);
        write(wanted);
        table_ = wanted;
        generation_ = request.generation;
        return answer;
    }

    ingress::State state() {
        const std::lock_guard<std::mutex> held(lock_);
        ingress::State answer{generation_, {}, {80}};
        if (!address_.empty()) answer.addresses.push_back({address_, ""});
        return answer;
    }

  private:
    using Table = std::map<std::string, ingress::Rule>;

    // The old file or the new one, never half of it.
    void write(const Table& table) const {
        const fs::path fresh = fs::path(file_) += ".new";
        std::ofstream out(fresh);
        out << keelson::Json(table).dump(2) << '\n' << std::flush;
        if (!out) throw keelson::Error(keelson::Code::unavailable, "cannot write " + fresh.string());
        fs::rename(fresh, file_);
    }

    const fs::path file_;
    const std::string address_;
    std::mutex lock_;
    Table table_;
    std::int64_t generation_ = 0;
};

KEELSON_PLUGIN(@CLASS@, "@ID@", "1.0.0")
)";

constexpr const char* kNetwork = R"(#include <filesystem>
#include <fstream>
#include <keelson/network.hpp>
#include <map>
#include <mutex>
#include <optional>

namespace fs = std::filesystem;
namespace proxy = keelson::proxy;

// A service proxy: writes the services with their backends to services.json in its state directory, for whatever
// carries the traffic. keelson/network.h says what every method has to do.
class @CLASS@ : public keelson::ServiceProxyPlugin {
  public:
    explicit @CLASS@(keelson::Host host) : host_(host), file_(fs::path(host.state_directory()) / "services.json") {}

    void configure(const proxy::Configure& request) { host_.info("serves on the node " + request.node.name); }

    proxy::Applied apply(const proxy::Apply& request) {
        const std::lock_guard<std::mutex> held(lock_);
        // A change may come in pieces, and nothing is done before the last one is there.
        if (!next_ || next_generation_ != request.generation) next_ = request.full ? Table() : table_;
        next_generation_ = request.generation;
        for (const proxy::Service& service : request.set) (*next_)[service.id] = service;
        for (const std::string& id : request.removed) next_->erase(id);
        if (request.more) return {request.generation, {}};
        const Table wanted = std::move(*next_);
        next_.reset();
        write(wanted);
        table_ = wanted;
        generation_ = request.generation;
        return {generation_, {}};
    }

    proxy::State state() {
        const std::lock_guard<std::mutex> held(lock_);
        return {generation_, generation_ == 0 || fs::exists(file_)};
    }

    void clear() {
        const std::lock_guard<std::mutex> held(lock_);
        fs::remove(file_);
        table_.clear();
        next_.reset();
        generation_ = 0;
    }

  private:
    using Table = std::map<std::string, proxy::Service>;

    // The old file or the new one, never half of it.
    void write(const Table& table) const {
        const fs::path fresh = fs::path(file_) += ".new";
        std::ofstream out(fresh);
        out << keelson::Json(table).dump(2) << '\n' << std::flush;
        if (!out) throw keelson::Error(keelson::Code::unavailable, "cannot write " + fresh.string());
        fs::rename(fresh, file_);
    }

    keelson::Host host_;
    const fs::path file_;
    std::mutex lock_;
    Table table_;
    std::optional<Table> next_;
    std::int64_t next_generation_ = 0;
    std::int64_t generation_ = 0;
};

KEELSON_PLUGIN(@CLASS@, "@ID@", "1.0.0")
)";

constexpr const char* kRuntime = R"source(#include <chrono>
#include <ctime>
#include <iterator>
#include <keelson/runtime.hpp>
#include <map>
#include <mutex>
#include <set>

namespace runtime = keelson::runtime;
namespace images = keelson::images;

// Keeps the books of sandboxes, containers and images, which is what the kernel asks for again and
// again; what makes a container run is to be written in start_container and stop_container.
// keelson/runtime.h says what every method has to do; exec, attach, port_forward and the like are
// missing, and a method that is missing is one that the plugin does not have.
class @CLASS@ : public keelson::RuntimePlugin, public keelson::ImagesPlugin {
  public:
    explicit @CLASS@(keelson::Host host) : host_(host) {}

    runtime::Info info() { return {"@NAME@", "1.0.0", {"@NAME@"}}; }

    void run_sandbox(const runtime::RunSandbox& request) {
        if (request.namespaces.network != "host")
            throw keelson::Error(keelson::Code::unsupported, "pods have the host's network here",
                                 "namespaces.network");
        const std::lock_guard<std::mutex> held(lock_);
        sandboxes_.insert({request.sandbox_id, {request.sandbox_id, request.pod, "ready", now()}});
    }

    void stop_sandbox(const runtime::StopSandbox& request) {
        const std::lock_guard<std::mutex> held(lock_);
        for (auto& [id, container] : containers_)
            if (container.sandbox_id == request.sandbox_id) end(container);
        const auto found = sandboxes_.find(request.sandbox_id);
        if (found != sandboxes_.end()) found->second.state = "stopped";
    }

    void remove_sandbox(const runtime::RemoveSandbox& request) {
        stop_sandbox({request.sandbox_id});
        const std::lock_guard<std::mutex> held(lock_);
        sandboxes_.erase(request.sandbox_id);
        for (auto at = containers_.begin(); at != containers_.end();)
            at = at->second.sandbox_id == request.sandbox_id ? containers_.erase(at) : std::next(at);
    }

    runtime::SandboxList list_sandboxes() {
        const std::lock_guard<std::mutex> held(lock_);
        runtime::SandboxList answer;
        for (const auto& [id, sandbox] : sandboxes_) answer.sandboxes.push_back(sandbox);
        return answer;
    }

    void create_container(const runtime::CreateContainer& request) {
        const std::lock_guard<std::mutex> held(lock_);
        if (sandboxes_.count(request.sandbox_id) == 0)
            throw keelson::Error(keelson::Code::not_found, "no such sandbox", "sandboxId");
        runtime::Container container;
        container.container_id = request.container_id;
        container.sandbox_id = request.sandbox_id;
        container.name = request.name;
        container.attempt = request.attempt;
        container.image_id = request.image_id;
        container.state = "created";
        container.created_at = now();
        containers_.insert({request.container_id, container});
    }

    void start_container(const runtime::StartContainer& request) {
        const std::lock_guard<std::mutex> held(lock_);
        runtime::Container& container = find(request.container_id);
        if (container.state != "created") return;
        // Here its program begins to run; once it ends by itself, host_.request_reconcile("pod/<uid>").
        container.state = "running";
        container.started_at = now();
        host_.info("started " + container.name + " (" + container.container_id + ")");
    }

    void stop_container(const runtime::StopContainer& request) {
        const std::lock_guard<std::mutex> held(lock_);
        const auto found = containers_.find(request.container_id);
        if (found != containers_.end()) end(found->second);
    }

    void remove_container(const runtime::RemoveContainer& request) {
        const std::lock_guard<std::mutex> held(lock_);
        containers_.erase(request.container_id);
    }

    runtime::ContainerList list_containers(const runtime::ListContainers& request) {
        const std::lock_guard<std::mutex> held(lock_);
        runtime::ContainerList answer;
        for (const auto& [id, container] : containers_)
            if (request.sandbox_id.empty() || container.sandbox_id == request.sandbox_id)
                answer.containers.push_back(container);
        return answer;
    }

    // Images are names without contents.
    images::Pulled pull(const images::Pull& request) {
        const std::lock_guard<std::mutex> held(lock_);
        images_.insert(request.image);
        return {request.image};
    }

    images::Listed list(const images::List& /*request*/) {
        const std::lock_guard<std::mutex> held(lock_);
        images::Listed answer;
        for (const std::string& name : images_) answer.images.push_back(image_of(name));
        return answer;
    }

    images::Inspected inspect(const images::Inspect& request) {
        const std::lock_guard<std::mutex> held(lock_);
        images::Inspected answer;
        if (images_.count(request.image) != 0) answer.image = image_of(request.image);
        return answer;
    }

    void remove(const images::Remove& request) {
        const std::lock_guard<std::mutex> held(lock_);
        images_.erase(request.image_id);
    }

  private:
    std::string now() const {
        const auto seconds = static_cast<std::time_t>(host_.unix_time() / std::chrono::seconds(1));
        std::tm parts{};
        ::gmtime_r(&seconds, &parts);
        char text[sizeof "2026-01-02T03:04:05Z"];
        return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
    }

    static images::Image image_of(const std::string& name) {
        images::Image image;
        image.image_id = name;
        image.names = {name};
        return image;
    }

    runtime::Container& find(const std::string& id) {
        const auto found = containers_.find(id);
        if (found == containers_.end())
            throw keelson::Error(keelson::Code::not_found, "no such container", "containerId");
        return found->second;
    }

    // Here its program is told to end, and waited for.
    void end(runtime::Container& container) const {
        if (container.state == "exited") return;
        container.state = "exited";
        container.finished_at = now();
        container.exit_code = 0;
        container.reason = "Completed";
    }

    keelson::Host host_;
    std::mutex lock_;
    std::map<std::string, runtime::Sandbox> sandboxes_;
    std::map<std::string, runtime::Container> containers_;
    std::set<std::string> images_;
};

KEELSON_PLUGIN(@CLASS@, "@ID@", "1.0.0")
)source";

constexpr const char* kVolume = R"(#include <filesystem>
#include <keelson/volume.hpp>

namespace fs = std::filesystem;
namespace volume = keelson::volume;

// Gives each pod an empty directory. keelson/volume.h says what every method has to do.
class @CLASS@ : public keelson::VolumePlugin {
  public:
    explicit @CLASS@(keelson::Host host) : host_(host) {}

    volume::Created create(const volume::Create& request) {
        return {request.name, request.capacity_bytes, {}, {}};
    }

    void remove(const volume::Remove& /*request*/) {}

    void publish(const volume::Publish& request) {
        fs::create_directories(request.path);
        host_.info("made " + request.path + " for " + request.pod.namespace_ + "/" + request.pod.name);
    }

    void unpublish(const volume::Unpublish& request) { fs::remove_all(request.path); }

  private:
    keelson::Host host_;
};

KEELSON_PLUGIN(@CLASS@, "@ID@", "1.0.0")
)";

constexpr const char* kNoConfiguration = R"(configSchema:
  type: object
  additionalProperties: false
)";

constexpr const char* kAuthSchema = R"(configSchema:
  type: object
  additionalProperties: false
  properties:
    token: {type: string, minLength: 8}
    username: {type: string, minLength: 1}
)";

constexpr const char* kIngressSchema = R"(configSchema:
  type: object
  additionalProperties: false
  properties:
    address: {type: string, minLength: 1}
)";

}  // namespace

const std::map<std::string, SkeletonKind>& skeleton_kinds() {
    static const std::map<std::string, SkeletonKind> all = {
        {"auth", {kAuth, "keelson.auth.authenticator/0", kAuthSchema, ""}},
        {"ingress",
         {kIngress, "keelson.ingress/0", kIngressSchema,
          "\nThis kernel loads plugins of this kind and asks none of them for anything yet.\n"}},
        {"network", {kNetwork, "keelson.network.proxy/0", kNoConfiguration, ""}},
        {"runtime", {kRuntime, "keelson.runtime/0, keelson.runtime.images/0", kNoConfiguration, ""}},
        {"volume", {kVolume, "keelson.volume/0", kNoConfiguration, ""}},
    };
    return all;
}

}  // namespace keelson::cli
