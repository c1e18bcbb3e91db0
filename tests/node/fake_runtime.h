// What a node's plugins do, for tests: containers, images, the network and volume drivers in memory.
//
// Nothing happens by itself: a test changes the state of containers as it likes. Every call is written down;
// the next calls of a name can be made to fail. On one thread.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernel/node/runtime.h"

namespace keelson::node {

// What the fakes of one node share.
class CallLog {
  public:
    // "run_sandbox web", "pull nginx": the call and what it is about.
    std::vector<std::string> calls;

    // The next `count` calls of that name fail so.
    void fail(const std::string& name, const base::Status& status, int count = 1) {
        for (int index = 0; index < count; ++index) failures_[name].push_back(status);
    }
    [[nodiscard]] std::size_t count(const std::string& beginning) const {
        return static_cast<std::size_t>(
            std::count_if(calls.begin(), calls.end(),
                          [&](const std::string& call) { return call.starts_with(beginning); }));
    }

    // Writes a call down; the failure that it has to give.
    std::optional<base::Status> record(const std::string& name, const std::string& about) {
        calls.push_back(about.empty() ? name : name + " " + about);
        const auto found = failures_.find(name);
        if (found == failures_.end() || found->second.empty()) return std::nullopt;
        base::Status status = found->second.front();
        found->second.pop_front();
        return status;
    }

  private:
    std::map<std::string, std::deque<base::Status>> failures_;
};

class FakeRuntime final : public Runtime {
  public:
    explicit FakeRuntime(CallLog& log) : log_(log) {}

    // What a test looks at and changes.
    std::map<std::string, SandboxConfig> sandbox_configs;
    std::map<std::string, Sandbox> sandboxes;
    std::map<std::string, ContainerConfig> configs;
    std::map<std::string, Container> containers;
    std::map<std::string, ResourceLimits> updated_limits;
    UsageList usages;
    std::string now = "2026-01-01T00:00:00Z";
    bool has_network_namespace = true;
    // When set, containers that are started have exited at once with this code.
    std::optional<std::int32_t> exits_at_once;

    struct ExecAnswer {
        std::int32_t exit_code = 0;
        std::string output;
        std::string errors;
    };
    // At most what fits into a pipe.
    std::function<ExecAnswer(const ExecRequest&)> on_exec = [](const ExecRequest&) { return ExecAnswer(); };
    // Instead of that: the streams themselves.
    std::function<base::Result<Streams>(const ExecRequest&)> on_exec_streams;
    std::vector<ExecRequest> execs;
    // The other ends of the attachments' and forwarded ports' streams.
    std::function<base::Result<Streams>(const std::string& id)> on_attach;
    std::function<base::Result<base::FileDescriptor>(const std::string& sandbox, std::uint16_t port)>
        on_forward;

    void set_exited(const std::string& id, std::int32_t exit_code, const std::string& reason = {},
                    const std::string& message = {}) {
        Container& container = containers.at(id);
        container.phase = ContainerPhase::exited;
        container.exit_code = exit_code;
        container.reason = !reason.empty() ? reason : exit_code == 0 ? "Completed" : "Error";
        container.message = message;
        container.finished_at = now;
    }
    // The newest container of that name; null when there is none.
    Container* find(const std::string& name) {
        Container* newest = nullptr;
        for (auto& [id, container] : containers)
            if (container.name == name && (!newest || container.attempt > newest->attempt))
                newest = &container;
        return newest;
    }
    // The machine has been started anew: everything has ended.
    void lose_everything() {
        for (auto& [id, sandbox] : sandboxes) sandbox.is_ready = false;
        for (auto& [id, container] : containers)
            if (container.phase == ContainerPhase::running) set_exited(id, 255);
    }

    Answer<RuntimeInfo> info() override {
        if (const auto failure = log_.record("info", "")) co_return *failure;
        RuntimeInfo info;
        info.name = "fake";
        info.version = "1";
        co_return info;
    }

    Answer<base::FileDescriptor> run_sandbox(SandboxConfig config) override {
        if (const auto failure = log_.record("run_sandbox", config.pod.name)) co_return *failure;
        Sandbox sandbox;
        sandbox.id = config.id;
        sandbox.pod = config.pod;
        sandbox.is_ready = true;
        sandbox.created_at = now;
        sandboxes.insert_or_assign(config.id, sandbox);
        const bool is_on_host = config.network == "host" || !has_network_namespace;
        sandbox_configs.insert_or_assign(config.id, std::move(config));
        if (is_on_host) co_return base::FileDescriptor();
        co_return base::FileDescriptor(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    }
    Answer<void> stop_sandbox(std::string id) override {
        if (const auto failure = log_.record("stop_sandbox", name_of_sandbox(id))) co_return *failure;
        for (auto& [container_id, container] : containers)
            if (container.sandbox_id == id && container.phase == ContainerPhase::running)
                set_exited(container_id, 137);
        if (const auto found = sandboxes.find(id); found != sandboxes.end()) found->second.is_ready = false;
        co_return base::ok();
    }
    Answer<void> remove_sandbox(std::string id) override {
        if (const auto failure = log_.record("remove_sandbox", name_of_sandbox(id))) co_return *failure;
        std::erase_if(containers, [&](const auto& entry) { return entry.second.sandbox_id == id; });
        sandboxes.erase(id);
        co_return base::ok();
    }
    Answer<std::vector<Sandbox>> list_sandboxes() override {
        if (const auto failure = log_.record("list_sandboxes", "")) co_return *failure;
        std::vector<Sandbox> all;
        for (const auto& [id, sandbox] : sandboxes) all.push_back(sandbox);
        co_return all;
    }

    Answer<void> create_container(ContainerConfig config) override {
        if (const auto failure = log_.record("create_container", config.name)) co_return *failure;
        Container container;
        container.id = config.id;
        container.sandbox_id = config.sandbox_id;
        container.name = config.name;
        container.attempt = config.attempt;
        container.image_id = config.image_id;
        container.created_at = now;
        containers.try_emplace(config.id, std::move(container));
        configs.insert_or_assign(config.id, std::move(config));
        co_return base::ok();
    }
    Answer<void> start_container(std::string id) override {
        if (const auto failure = log_.record("start_container", name_of(id))) co_return *failure;
        const auto found = containers.find(id);
        if (found == containers.end()) co_return missing(id);
        if (found->second.phase == ContainerPhase::created) {
            found->second.phase = ContainerPhase::running;
            found->second.started_at = now;
            if (exits_at_once) set_exited(id, *exits_at_once);
        }
        co_return base::ok();
    }
    Answer<void> stop_container(std::string id, std::chrono::seconds grace, std::string signal) override {
        const std::string about =
            name_of(id) + " " + std::to_string(grace.count()) + (signal.empty() ? "" : " " + signal);
        if (const auto failure = log_.record("stop_container", about)) co_return *failure;
        const auto found = containers.find(id);
        if (found != containers.end() && found->second.phase != ContainerPhase::exited)
            set_exited(id, grace.count() == 0 ? 137 : 143);
        co_return base::ok();
    }
    Answer<void> remove_container(std::string id) override {
        if (const auto failure = log_.record("remove_container", name_of(id))) co_return *failure;
        containers.erase(id);
        co_return base::ok();
    }
    Answer<std::vector<Container>> list_containers(std::string sandbox_id) override {
        if (const auto failure = log_.record("list_containers", "")) co_return *failure;
        std::vector<Container> all;
        for (const auto& [id, container] : containers)
            if (sandbox_id.empty() || container.sandbox_id == sandbox_id) all.push_back(container);
        co_return all;
    }
    Answer<void> update_resources(std::string id, ResourceLimits limits) override {
        if (const auto failure = log_.record("update_resources", name_of(id))) co_return *failure;
        updated_limits[id] = limits;
        co_return base::ok();
    }

    Answer<Streams> exec(ExecRequest request) override {
        if (const auto failure = log_.record("exec", name_of(request.container_id))) co_return *failure;
        execs.push_back(request);
        if (on_exec_streams) co_return on_exec_streams(request);
        const ExecAnswer answer = on_exec(request);
        Streams streams;
        streams.exec_id = "exec-" + std::to_string(execs.size());
        if (request.has_standard_output) streams.standard_output = filled_pipe(answer.output);
        if (request.has_standard_error) streams.standard_error = filled_pipe(answer.errors);
        streams.result = filled_pipe("{\"exitCode\": " + std::to_string(answer.exit_code) + "}");
        co_return streams;
    }
    Answer<Streams> attach(std::string id, bool, bool, bool) override {
        if (const auto failure = log_.record("attach", name_of(id))) co_return *failure;
        if (!on_attach) co_return Streams();
        co_return on_attach(id);
    }
    Answer<void> resize(std::string container_id, std::string, std::uint16_t columns,
                        std::uint16_t rows) override {
        const std::string about =
            name_of(container_id) + " " + std::to_string(columns) + "x" + std::to_string(rows);
        if (const auto failure = log_.record("resize", about)) co_return *failure;
        co_return base::ok();
    }
    Answer<base::FileDescriptor> port_forward(std::string sandbox_id, std::uint16_t port) override {
        const std::string about = name_of_sandbox(sandbox_id) + " " + std::to_string(port);
        if (const auto failure = log_.record("port_forward", about)) co_return *failure;
        if (!on_forward) co_return base::FileDescriptor();
        co_return on_forward(sandbox_id, port);
    }
    Answer<void> reopen_log(std::string id) override {
        if (const auto failure = log_.record("reopen_log", name_of(id))) co_return *failure;
        co_return base::ok();
    }
    Answer<UsageList> usage(std::string) override {
        if (const auto failure = log_.record("usage", "")) co_return *failure;
        co_return usages;
    }

  private:
    static base::FileDescriptor filled_pipe(const std::string& text) {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) != 0) return {};
        base::FileDescriptor writer(ends[1]);
        // NOLINTNEXTLINE(bugprone-unused-return-value): a test gives what fits
        (void)!::write(writer.get(), text.data(), text.size());
        return base::FileDescriptor(ends[0]);
    }
    static base::Status missing(const std::string& id) {
        return {base::Reason::not_found, "there is no container " + id};
    }
    std::string name_of(const std::string& id) const {
        const auto found = containers.find(id);
        return found == containers.end() ? id : found->second.name;
    }
    std::string name_of_sandbox(const std::string& id) const {
        const auto found = sandboxes.find(id);
        return found == sandboxes.end() ? id : found->second.pod.name;
    }

    CallLog& log_;
};

class FakeImages final : public Images {
  public:
    explicit FakeImages(CallLog& log) : log_(log) {}

    std::map<std::string, Image> present;  // by name
    std::map<std::string, Image> registry;
    std::vector<std::vector<Credentials>> credentials;  // of each pull

    static Image make(const std::string& name) {
        Image image;
        image.id = "sha256:" + name;
        image.names = {name};
        image.digests = {name + "@sha256:" + name};
        image.size_bytes = 1000;
        return image;
    }
    void offer(const std::string& name) { registry[name] = make(name); }

    Answer<std::string> pull(std::string image, std::vector<Credentials> given) override {
        if (const auto failure = log_.record("pull", image)) co_return *failure;
        credentials.push_back(std::move(given));
        const auto found = registry.find(image);
        if (found == registry.end())
            co_return base::Status(base::Reason::not_found, "image " + image + ": not found");
        present[image] = found->second;
        co_return found->second.id;
    }
    Answer<std::optional<Image>> inspect(std::string image) override {
        if (const auto failure = log_.record("inspect", image)) co_return *failure;
        for (const auto& [name, known] : present)
            if (name == image || known.id == image) co_return std::optional(known);
        co_return std::optional<Image>();
    }
    Answer<std::vector<Image>> list() override {
        if (const auto failure = log_.record("list_images", "")) co_return *failure;
        std::vector<Image> all;
        for (const auto& [name, image] : present) all.push_back(image);
        co_return all;
    }
    Answer<void> remove(std::string id) override {
        if (const auto failure = log_.record("remove_image", id)) co_return *failure;
        std::erase_if(present, [&](const auto& entry) { return entry.second.id == id; });
        co_return base::ok();
    }

  private:
    CallLog& log_;
};

class FakePodNetwork final : public PodNetwork {
  public:
    explicit FakePodNetwork(CallLog& log) : log_(log) {}

    bool is_present = true;
    std::map<std::string, std::vector<std::string>> attached;
    std::map<std::string, std::vector<HostPort>> ports;
    NodeNetwork node;
    std::vector<NodeNetwork> peers;
    // The calls of configure() that have begun; while `holds` they wait, each for its own to be completed,
    // and so may be taken up in any order.
    bool holds = false;
    std::vector<base::Completion<bool>> held;

    [[nodiscard]] bool is_there() const override { return is_present; }
    Answer<void> configure(NodeNetwork own, std::vector<NodeNetwork> others,
                           std::vector<std::string>) override {
        if (const auto failure = log_.record("configure", own.name)) co_return *failure;
        if (holds) {
            const base::Completion<bool> taken_up = held.emplace_back();
            co_await taken_up;
        }
        node = std::move(own);
        peers = std::move(others);
        co_return base::ok();
    }
    Answer<std::vector<std::string>> attach(std::string sandbox_id, PodIdentity pod,
                                            std::vector<HostPort> wanted, int) override {
        if (const auto failure = log_.record("attach_network", pod.name)) co_return *failure;
        auto [at, is_new] = attached.try_emplace(sandbox_id);
        if (is_new) at->second = {"10.244.0." + std::to_string(++last_address_)};
        ports[sandbox_id] = std::move(wanted);
        co_return at->second;
    }
    Answer<void> detach(std::string sandbox_id) override {
        if (const auto failure = log_.record("detach_network", sandbox_id)) co_return *failure;
        attached.erase(sandbox_id);
        co_return base::ok();
    }
    Answer<std::map<std::string, std::vector<std::string>>> list() override {
        if (const auto failure = log_.record("list_network", "")) co_return *failure;
        co_return attached;
    }

  private:
    CallLog& log_;
    int last_address_ = 1;
};

class FakeVolumeDrivers final : public VolumeDrivers {
  public:
    explicit FakeVolumeDrivers(CallLog& log) : log_(log) {}

    std::set<std::string> drivers;
    std::map<std::string, PublishRequest> published;  // by path
    std::map<std::string, PublishRequest> staged;

    [[nodiscard]] bool has(const std::string& driver) const override { return drivers.contains(driver); }
    Answer<void> stage(std::string driver, PublishRequest request) override {
        if (const auto failure = log_.record("stage", driver)) co_return *failure;
        staged[request.staging_path] = request;
        co_return base::ok();
    }
    Answer<void> unstage(std::string driver, std::string, std::string path) override {
        if (const auto failure = log_.record("unstage", driver)) co_return *failure;
        staged.erase(path);
        co_return base::ok();
    }
    Answer<void> publish(std::string driver, PublishRequest request) override {
        if (const auto failure = log_.record("publish", driver)) co_return *failure;
        published[request.path] = request;
        co_return base::ok();
    }
    Answer<void> unpublish(std::string driver, std::string, std::string path) override {
        if (const auto failure = log_.record("unpublish", driver)) co_return *failure;
        published.erase(path);
        co_return base::ok();
    }

  private:
    CallLog& log_;
};

// All of them together.
struct FakeNode {
    CallLog log;
    FakeRuntime runtime{log};
    FakeImages images{log};
    FakePodNetwork network{log};
    FakeVolumeDrivers drivers{log};
};

}  // namespace keelson::node
