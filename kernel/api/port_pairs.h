// Connections to ports of a pod: for each a stream of bytes and a stream for what went wrong. What carries
// the streams to the client is for the derived class: SPDY, or the channels of a WebSocket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/api/byte_stream.h"
#include "kernel/api/loop_file.h"
#include "kernel/api/signal.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/node/streams.h"

namespace keelson::api {

struct PortPair {
    std::uint32_t data_stream = 0;
    std::uint32_t error_stream = 0;
    std::uint16_t port = 0;
    std::shared_ptr<LoopFile> file;
    std::deque<std::string> to_pod;
    Signal changed;
    bool client_ended = false;  // no more comes for the pod
    bool is_over = false;       // nobody is interested any more
};
using PortPairPointer = std::shared_ptr<PortPair>;

// A port as clients write it; none when it is no number from 1 to 65535.
[[nodiscard]] std::optional<std::uint16_t> port_of(std::string_view text);

// Lives as long as the task that runs it, on that task's loop; wait_until_ended() comes before its end.
class PortPairs {
  public:
    PortPairs(IoLoop& loop, node::NodeStreams& streams, node::ContainerQuery query)
        : loop_(loop), streams_(streams), query_(std::move(query)) {}
    virtual ~PortPairs() = default;
    PortPairs(const PortPairs&) = delete;
    PortPairs& operator=(const PortPairs&) = delete;

  protected:
    // False: the client is gone.
    virtual base::Task<bool> send(std::uint32_t stream, std::string_view data, bool is_final) = 0;
    // No pair is being served any more.
    virtual void on_idle() {}

    // Streams that belong to a pair, also to one that is not whole yet.
    [[nodiscard]] bool has(std::uint32_t stream) const { return by_stream_.contains(stream); }
    [[nodiscard]] std::size_t stream_count() const { return by_stream_.size(); }
    void add(std::uint32_t stream, PortPairPointer pair) { by_stream_[stream] = std::move(pair); }
    // Connects to the pod, and carries bytes both ways until one side has ended.
    void start(PortPairPointer pair);
    // From the client.
    void take(std::uint32_t stream, std::string data, bool is_final);
    void reset(std::uint32_t stream);

    // As long as too much waits for the pod.
    base::Task<void> wait_for_room();
    // The client is gone, or nothing more is wanted of it.
    void end_all();
    base::Task<void> wait_until_ended();
    [[nodiscard]] bool is_lost() const { return is_lost_; }

  private:
    base::Task<void> serve(PortPairPointer pair);
    base::Result<void> connect(PortPair& pair, base::Result<base::FileDescriptor> connected);
    [[nodiscard]] std::string complaint_of(const PortPair& pair, const base::Status& status) const;
    base::Task<void> pump(PortPair& pair);
    base::Task<void> feed(PortPairPointer pair);
    void end(PortPair& pair);
    void forget(PortPair& pair);
    void release(std::size_t bytes);
    void leave();

    IoLoop& loop_;
    node::NodeStreams& streams_;
    node::ContainerQuery query_;
    std::map<std::uint32_t, PortPairPointer> by_stream_;
    Signal room_, ended_;
    std::size_t buffered_ = 0;
    int running_ = 0;
    bool is_lost_ = false;
};

}  // namespace keelson::api
