// The runtime: methods are checked and typed by the SDK, and done by the machine and the image store.
#include "images_factory.h"
#include "keelson/runtime.hpp"
#include "machine.h"
#include "settings.h"

namespace keelson::oci {
namespace {

Settings read_settings(const Json& json) {
    auto settings = read_as<Settings>(json);
    if (settings.log_bytes < 0) throw Error(Code::invalid, "logBytes is below 0", "logBytes");
    return settings;
}

std::string root_directory(const Host& host, const Settings& settings) {
    if (!settings.root_directory.empty()) return settings.root_directory;
    return (settings.state_directory.empty() ? host.state_directory() : settings.state_directory) + "/data";
}

class Runtime : public RuntimePlugin, public ImagesPlugin {
  public:
    Runtime(Host host, const Json& config)
        : settings_(read_settings(config)),
          images_(make_images(host, root_directory(host, settings_) + "/images", settings_.images)),
          machine_(host, settings_, *images_) {}

    runtime::Info info() { return {"keelson-oci", KEELSON_OCI_VERSION, {machine_.handler()}}; }

    // --- sandboxes ---
    void run_sandbox(const runtime::RunSandbox& request, const Call& call) {
        machine_.run_sandbox(request, call);
    }
    void stop_sandbox(const runtime::StopSandbox& request) { machine_.stop_sandbox(request.sandbox_id); }
    void remove_sandbox(const runtime::RemoveSandbox& request) {
        machine_.remove_sandbox(request.sandbox_id);
    }
    runtime::SandboxList list_sandboxes() { return machine_.list_sandboxes(); }

    // --- containers ---
    void create_container(const runtime::CreateContainer& request) { machine_.create_container(request); }
    void start_container(const runtime::StartContainer& request) {
        machine_.start_container(request.container_id);
    }
    void stop_container(const runtime::StopContainer& request, const Call& call) {
        machine_.stop_container(request, call);
    }
    void remove_container(const runtime::RemoveContainer& request) {
        machine_.remove_container(request.container_id);
    }
    runtime::ContainerList list_containers(const runtime::ListContainers& request) {
        return machine_.list_containers(request.sandbox_id);
    }
    void update_resources(const runtime::UpdateResources& request) { machine_.update_resources(request); }

    // --- streams ---
    runtime::Executing exec(const runtime::Exec& request, const Call& call) {
        return machine_.exec(request, call);
    }
    void attach(const runtime::Attach& request, const Call& call) { machine_.attach(request, call); }
    void resize(const runtime::Resize& request) { machine_.resize(request); }
    void port_forward(const runtime::PortForward& request, const Call& call) {
        machine_.port_forward(request, call);
    }
    void reopen_log(const runtime::ReopenLog& request) { machine_.reopen_log(request.container_id); }
    runtime::Stats stats(const runtime::StatsRequest& request) { return machine_.stats(request.sandbox_id); }

    // --- images ---
    images::Pulled pull(const images::Pull& request, const Call& call) {
        return images_->pull(request, call);
    }
    images::Loaded load(const images::Load& request, const Call& call) {
        return images_->load(request.name, call.descriptor(0), call);
    }
    images::Listed list() { return images_->list(); }
    void remove(const images::Remove& request) { images_->remove(request.image_id); }
    images::Usage usage() { return images_->usage(); }
    images::Pulls pulls() { return images_->pulls(); }
    images::Inspected inspect(const images::Inspect& request) { return images_->inspect(request.image); }

  private:
    const Settings settings_;
    const std::unique_ptr<ImageStore> images_;
    Machine machine_;
};

}  // namespace
}  // namespace keelson::oci

KEELSON_PLUGIN(keelson::oci::Runtime, "dev.keelson.oci", KEELSON_OCI_VERSION)
