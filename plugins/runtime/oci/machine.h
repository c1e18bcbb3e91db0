// Sandboxes and containers: what the methods of runtime.h do.
//
// Threads: methods run beside each other. `mutex_` guards the maps and what is said there to be guarded; it
// is never held while something is waited for. Each sandbox and each container has a lock of its own for what
// changes it, so that one pod does not wait for another.
#ifndef KEELSON_OCI_MACHINE_H
#define KEELSON_OCI_MACHINE_H

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cgroups.h"
#include "images/image_store.h"
#include "keelson/host.hpp"
#include "records.h"
#include "settings.h"
#include "shim_client.h"
#include "usage.h"
#include "watcher.h"

namespace keelson::oci {

class Machine {
  public:
    // Adopts what an earlier instance has left, and removes what it has left half-made.
    Machine(Host host, Settings settings, ImageStore& images);
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    ~Machine();

    // The name of what runs the containers.
    [[nodiscard]] std::string handler() const { return program_.substr(program_.rfind('/') + 1); }

    void run_sandbox(const runtime::RunSandbox& request, const Call& call);
    void stop_sandbox(const std::string& id);
    void remove_sandbox(const std::string& id);
    [[nodiscard]] runtime::SandboxList list_sandboxes() const;

    void create_container(const runtime::CreateContainer& request);
    void start_container(const std::string& id);
    void stop_container(const runtime::StopContainer& request, const Call& call);
    void remove_container(const std::string& id);
    [[nodiscard]] runtime::ContainerList list_containers(const std::string& sandbox_id) const;
    void update_resources(const runtime::UpdateResources& request);

    [[nodiscard]] runtime::Executing exec(const runtime::Exec& request, const Call& call);
    void attach(const runtime::Attach& request, const Call& call);
    void resize(const runtime::Resize& request);
    void port_forward(const runtime::PortForward& request, const Call& call);
    void reopen_log(const std::string& id);
    [[nodiscard]] runtime::Stats stats(const std::string& sandbox_id);

  private:
    enum class Phase { making, created, running, exited };

    struct Sandbox {
        std::mutex operation;
        SandboxRecord record;     // guarded
        bool is_made = false;     // guarded; the record is on the disk and the shim has answered
        Descriptor watch;         // guarded; the shim's events, and its end
        pid_t shim = 0;           // guarded
        pid_t first_process = 0;  // guarded; of the shared process namespace, if there is one
    };
    struct Container {
        std::mutex operation;
        ContainerRecord record;       // guarded
        Phase phase = Phase::making;  // guarded
        Status status;                // guarded
        bool is_stopping = false;     // guarded; its end is no news
    };
    using SandboxPointer = std::shared_ptr<Sandbox>;
    using ContainerPointer = std::shared_ptr<Container>;

    // --- paths ---
    [[nodiscard]] std::string sandbox_directory(const std::string& id) const;
    [[nodiscard]] std::string container_directory(const std::string& id) const;
    [[nodiscard]] std::string data_directory(const std::string& container_id) const;
    [[nodiscard]] std::string program_directory() const { return state_ + "/program"; }
    [[nodiscard]] static std::string shim_cgroup(const SandboxRecord& record);

    // --- finding; what is not there is Code::not_found or null ---
    [[nodiscard]] SandboxPointer find_sandbox(const std::string& id) const;
    [[nodiscard]] ContainerPointer find_container(const std::string& id) const;
    [[nodiscard]] SandboxPointer sandbox(const std::string& id) const;
    [[nodiscard]] ContainerPointer container(const std::string& id) const;
    // Code::conflict unless it runs.
    [[nodiscard]] ContainerRecord running(const std::string& id) const;
    [[nodiscard]] std::vector<ContainerPointer> containers_of(const std::string& sandbox_id) const;

    // --- sandboxes.cpp ---
    void make_sandbox(Sandbox& sandbox, const std::string& id, const Call& call);
    void start_shim(Sandbox& sandbox, const std::string& id, const Call& call);
    // With the lock held.
    static void note_processes(Sandbox& sandbox, const Answer& answer);
    [[nodiscard]] Packet setup_packet(const runtime::RunSandbox& request) const;
    void answer_network(const std::string& id, const Call& call) const;
    void stop_made_sandbox(Sandbox& sandbox, const std::string& id);
    void end_shim(Sandbox& sandbox, const std::string& id);
    void erase_sandbox(Sandbox& sandbox, const std::string& id);
    void save(const SandboxRecord& record) const;

    // --- containers.cpp ---
    void make_container(Container& container, const runtime::CreateContainer& request);
    [[nodiscard]] Descriptor prepare(const ContainerRecord& record) const;
    void launch(Container& container, const ContainerRecord& record);
    [[nodiscard]] Packet start_packet(const ContainerRecord& record) const;
    void note_failed_start(Container& container, const std::string& message);
    void kill(const ContainerRecord& record, int signal, bool all) const;
    // False when the time has come and it still runs.
    bool wait_for_end(Container& container, std::int64_t until_us, const Call& call);
    void kill_and_wait(Container& container, const Call& call);
    // Its end is news again, if it has not come.
    void no_longer_stopping(Container& container);
    void erase_container(const ContainerRecord& record);
    void save(const ContainerRecord& record) const;
    [[nodiscard]] runtime::Container describe(const Container& container) const;
    [[nodiscard]] Packet program_packet(shim::Kind kind) const;

    // --- adoption.cpp ---
    void adopt_sandbox(const std::string& id);
    void adopt_container(const std::string& id);
    void sweep();
    void watch_sandbox(const std::string& id, Sandbox& sandbox);
    void shim_spoke(const std::string& sandbox_id);
    void shim_ended(const std::string& sandbox_id);
    void refresh(const std::string& container_id);
    void lose(Container& container);

    const Host host_;
    const Settings settings_;
    ImageStore& images_;
    std::string state_;
    std::string root_;
    std::string program_;  // a path
    Cgroups cgroups_;
    ShimProgram shim_program_;
    UsageCache usage_;

    mutable std::mutex mutex_;
    std::condition_variable ended_;
    std::map<std::string, SandboxPointer> sandboxes_;
    std::map<std::string, ContainerPointer> containers_;
    std::uint64_t executions_ = 0;
    Watcher watcher_;  // last: its thread uses all of the above
};

// Throws Code::invalid for what cannot be the name of a directory.
void check_id(const std::string& id, const char* field);

}  // namespace keelson::oci

#endif
