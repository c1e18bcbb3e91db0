// keelson.host.objects inside keelson-plugin-host: the kernel is asked over the socket.
#pragma once

#include <map>
#include <mutex>

#include "kernel/plugin/objects_service.h"
#include "kernel/plugin/protocol.h"

namespace keelson::plugin {

class KernelObjects final : public ObjectsService {
  public:
    // `send` gives a frame to the kernel that is connected now; false when there is none.
    explicit KernelObjects(std::function<bool(const Frame&)> send) : send_(std::move(send)) {}

    std::uint64_t ask(ObjectsRequest request, Done done) override;
    void cancel(std::uint64_t id) override;
    void take_reply(Frame frame);
    // The kernel has gone: what it was asked fails in a way that may be tried again.
    void lose();

  private:
    void finish(std::uint64_t id, Outcome outcome);

    const std::function<bool(const Frame&)> send_;
    std::mutex mutex_;
    std::uint64_t next_id_ = 0;
    std::map<std::uint64_t, Done> waiting_;
};

}  // namespace keelson::plugin
