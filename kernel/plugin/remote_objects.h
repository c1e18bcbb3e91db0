// What the process of an isolated plugin asks of keelson.host.objects, on the kernel's side of its socket. It
// is told nothing by the plugin that it believes: numbers may come twice, and more calls than there is room
// for.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "kernel/base/executor.h"
#include "kernel/plugin/objects_service.h"
#include "kernel/plugin/protocol.h"

namespace keelson::plugin {

// Thread-safe. Answers are written on the pool for blocking work: the process may be slow to take them.
class RemoteObjects : public std::enable_shared_from_this<RemoteObjects> {
  public:
    // `service` may be null: then every call is refused as unsupported.
    RemoteObjects(std::shared_ptr<ObjectsService> service, std::shared_ptr<FrameSocket> socket,
                  base::Executor& executor);

    void take_call(Frame frame);
    void take_cancel(std::uint64_t id);
    // The process has gone: nobody waits any more.
    void end();

  private:
    struct Asked {
        std::uint64_t id = 0;  // of the service; 0: it has not been asked yet
        bool is_cancelled = false;
    };

    [[nodiscard]] bool enter(std::uint64_t id);
    void ask(Frame frame);
    void answer(std::uint64_t id, const Outcome& outcome);
    void refuse(std::uint64_t id, std::int32_t code, std::string_view message);

    const std::shared_ptr<ObjectsService> service_;
    const std::shared_ptr<FrameSocket> socket_;
    base::Executor& executor_;
    std::mutex mutex_;
    std::map<std::uint64_t, Asked> asked_;
};

}  // namespace keelson::plugin
