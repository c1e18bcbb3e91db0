#include "kernel/admin/admin.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <system_error>

#include "kernel/admin/connection.h"
#include "kernel/admin/context.h"
#include "kernel/admin/tls.h"
#include "kernel/admin/transport.h"
#include "kernel/base/files.h"

namespace keelson::admin {
namespace {

using base::Result;

constexpr std::chrono::milliseconds kDrainTime{2500};
constexpr std::chrono::milliseconds kCutOffTime{1000};

// What a process that was killed left behind.
void remove_leftovers(const std::string& directory, std::initializer_list<std::string_view> prefixes) {
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator(directory, code)) {
        const std::string name = entry.path().filename().string();
        std::error_code ignored;
        if (std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); }))
            std::filesystem::remove_all(entry.path(), ignored);
    }
}

}  // namespace

struct AdminServer::Impl {
    explicit Impl(AdminParts parts)
        : context(std::move(parts)), connections(std::make_shared<Connections>(context.parts.executor)) {}

    Result<void> start();
    Result<void> prepare_directories();
    TlsContext current_tls() {
        const std::lock_guard lock(mutex);
        return tls;
    }

    Context context;
    std::shared_ptr<Connections> connections;
    std::mutex mutex;  // of tls
    TlsContext tls;
    std::unique_ptr<Transport> port;
    std::unique_ptr<Transport> local;
    bool stopped = false;
};

Result<void> AdminServer::Impl::prepare_directories() {
    context.work_directory = context.parts.data_directory + "/admin";
    KEELSON_TRY_VOID(base::make_directory(context.work_directory, 0700));
    remove_leftovers(context.work_directory, {"upload-", "snapshot-", "check"});
    if (!context.parts.upload_directory.empty()) {
        KEELSON_TRY_VOID(base::make_directory(context.parts.upload_directory, 0755));
        remove_leftovers(context.parts.upload_directory, {".upload-"});
    }
    return base::ok();
}

Result<void> AdminServer::Impl::start() {
    const AdminParts& parts = context.parts;
    KEELSON_TRY(tls, make_tls_context(parts.tls));
    KEELSON_TRY_VOID(prepare_directories());
    auto over_tls = [this](const Poco::Net::StreamSocket& socket) {
        serve_tls(context, connections, current_tls(), socket);
    };
    KEELSON_TRY(port, Transport::open({.address = parts.address,
                                       .port = parts.port,
                                       .socket_path = {},
                                       .threads = std::max(parts.limits.connections, 1),
                                       .waiting = std::max(parts.limits.waiting, 1)},
                                      over_tls));
    if (parts.socket_path.empty()) return base::ok();
    auto over_local = [this](const Poco::Net::StreamSocket& socket) {
        serve_local(context, connections, socket);
    };
    KEELSON_TRY(local, Transport::open({.address = {},
                                        .port = 0,
                                        .socket_path = parts.socket_path,
                                        .threads = std::max(parts.limits.connections / 4, 1),
                                        .waiting = std::max(parts.limits.waiting, 1)},
                                       over_local));
    return base::ok();
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AdminServer::~AdminServer() {
    stop();
}

Result<std::unique_ptr<AdminServer>> AdminServer::start(AdminParts parts) {
    auto server = std::unique_ptr<AdminServer>(new AdminServer(std::make_unique<Impl>(std::move(parts))));
    KEELSON_TRY_VOID(server->impl_->start());
    return server;
}

std::uint16_t AdminServer::port() const {
    return impl_->port->port();
}

Result<void> AdminServer::replace_tls(const TlsMaterial& material) {
    KEELSON_TRY(TlsContext fresh, make_tls_context(material));
    const std::lock_guard lock(impl_->mutex);
    impl_->tls = std::move(fresh);
    return base::ok();
}

void AdminServer::stop() {
    Impl& impl = *impl_;
    if (std::exchange(impl.stopped, true)) return;
    impl.context.gate->move_to(Gate::Stage::draining);
    for (Transport* transport : {impl.port.get(), impl.local.get()})
        if (transport != nullptr) transport->stop_accepting();
    impl.connections->stop_idle();
    impl.connections->wait_until_none(kDrainTime);
    // Whoever waits for another room's task leaves, whoever waits for a client is woken.
    impl.context.gate->move_to(Gate::Stage::closed);
    if (!impl.connections->wait_until_none(std::chrono::milliseconds(300))) impl.connections->stop_all();
    impl.connections->wait_until_none(kCutOffTime);
    for (Transport* transport : {impl.port.get(), impl.local.get()})
        if (transport != nullptr) transport->join();
}

}  // namespace keelson::admin
