#include "kernel/daemon/node_server.h"

#include "kernel/api/node_paths.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"

namespace keelson::daemon {
namespace {

using base::Result;
using base::Task;

constexpr base::Duration kDrainTime = std::chrono::seconds(2);

Task<void> wait_for(base::Completion<bool> ended) {
    co_await ended;
}

}  // namespace

NodeServer::NodeServer(Parts parts)
    : parts_(std::move(parts)),
      rotation_({parts_.client, parts_.random, order(),
                 [this](const KeyAndCertificate& pair) { return take(pair); }}) {}

NodeServer::~NodeServer() {
    stop();
}

CertificateOrder NodeServer::order() const {
    CertificateOrder order;
    order.node_name = parts_.node.name();
    order.server_names = parts_.node.addresses();
    order.server_names.push_back(parts_.node.name());
    return order;
}

void NodeServer::start() {
    is_started_ = true;
    base::spawn(parts_.executor, rotation_.run({}), [ended = rotation_ended_] { ended.complete(true); });
}

void NodeServer::stop() {
    if (!std::exchange(is_started_, false)) return;
    rotation_.stop();
    base::sync_wait(parts_.executor, wait_for(rotation_ended_));
    if (server_) server_->stop(kDrainTime);
    server_.reset();
}

Result<void> NodeServer::take(const KeyAndCertificate& pair) {
    KEELSON_TRY(auto tls, api::TlsContext::create({.certificate_chain = pair.certificate,
                                                   .private_key = pair.key,
                                                   .client_ca = parts_.authority}));
    const std::lock_guard lock(mutex_);
    if (server_) {
        server_->set_tls(std::move(tls));
        return base::ok();
    }
    const api::NodeGate::Node node{parts_.node.streams(), parts_.node.agent()};
    server_ = std::make_unique<api::Server>(std::move(parts_.listener), std::move(tls), api::ServerOptions{},
                                            parts_.executor, api::make_node_handler(node));
    server_->start();
    base::log_info("the node answers for its pods", {{"port", server_->port()}});
    return base::ok();
}

}  // namespace keelson::daemon
