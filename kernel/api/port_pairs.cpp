#include "kernel/api/port_pairs.h"

#include <charconv>
#include <utility>

namespace keelson::api {
namespace {

constexpr std::size_t kPiece = 32 << 10;
// What has come for the pod and was not taken there yet, of all streams together.
constexpr std::size_t kBufferLimit = 4 << 20;

}  // namespace

using base::FileDescriptor;
using base::Result;
using base::Status;
using base::Task;

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

void PortPairs::start(PortPairPointer pair) {
    ++running_;
    base::spawn(loop_, serve(std::move(pair)));
}

void PortPairs::take(std::uint32_t stream, std::string data, bool is_final) {
    const auto found = by_stream_.find(stream);
    if (found == by_stream_.end()) return;
    const PortPairPointer pair = found->second;
    // On the error stream clients only say that they have nothing to say.
    if (stream != pair->data_stream || pair->is_over) return;
    if (!data.empty()) {
        buffered_ += data.size();
        pair->to_pod.push_back(std::move(data));
    }
    pair->client_ended = pair->client_ended || is_final;
    pair->changed.raise();
}

void PortPairs::reset(std::uint32_t stream) {
    const auto found = by_stream_.find(stream);
    if (found != by_stream_.end()) end(*found->second);
}

Task<void> PortPairs::wait_for_room() {
    while (buffered_ > kBufferLimit && !is_lost_) {
        auto waiting = room_.wait();
        co_await waiting;
    }
}

void PortPairs::end_all() {
    is_lost_ = true;
    for (const auto& [stream, pair] : by_stream_) end(*pair);
    room_.raise();
}

Task<void> PortPairs::wait_until_ended() {
    while (running_ > 0) {
        auto waiting = ended_.wait();
        co_await waiting;
    }
}

// Of one pair, from its connection to its end.
Task<void> PortPairs::serve(PortPairPointer pair) {
    auto connecting = streams_.port_forward(query_, pair->port);
    Result<FileDescriptor> connected = co_await connecting;
    Result<void> good = connect(*pair, std::move(connected));
    if (good) {
        ++running_;
        base::spawn(loop_, feed(pair));
        auto pumping = pump(*pair);
        co_await pumping;
    }
    const std::string complaint = good ? std::string() : complaint_of(*pair, good.error());
    auto complaining = send(pair->error_stream, complaint, true);
    (void)co_await complaining;
    if (!good) {
        auto ending = send(pair->data_stream, {}, true);
        (void)co_await ending;
    }
    end(*pair);
    by_stream_.erase(pair->error_stream);
    by_stream_.erase(pair->data_stream);
    leave();
}

Result<void> PortPairs::connect(PortPair& pair, Result<FileDescriptor> connected) {
    if (!connected) return connected.error();
    KEELSON_TRY(pair.file, LoopFile::open(loop_, std::move(*connected)));
    if (pair.is_over) pair.file->close();
    return base::ok();
}

std::string PortPairs::complaint_of(const PortPair& pair, const Status& status) const {
    return "error forwarding port " + std::to_string(pair.port) + " to pod " + query_.pod + ", uid " +
           query_.uid + ": " + status.message();
}

// From the pod to the client; then the pair is over, unless the client still has something to say.
Task<void> PortPairs::pump(PortPair& pair) {
    std::string data;
    bool goes_on = true;
    while (goes_on) {
        data.clear();
        auto reading = pair.file->read(data, kPiece);
        goes_on = co_await reading;
        if (!goes_on && pair.is_over) co_return;
        auto sending = send(pair.data_stream, data, !goes_on);
        const bool sent = co_await sending;
        goes_on = goes_on && sent;
    }
}

// From the client to the pod.
Task<void> PortPairs::feed(PortPairPointer pair) {
    while (!pair->is_over) {
        if (pair->to_pod.empty() && pair->client_ended) {
            pair->file->end_writing();
            break;
        }
        if (pair->to_pod.empty()) {
            auto waiting = pair->changed.wait();
            co_await waiting;
            continue;
        }
        const std::string data = std::move(pair->to_pod.front());
        pair->to_pod.pop_front();
        auto writing = pair->file->write(data);
        const bool written = co_await writing;
        release(data.size());
        if (!written) break;
    }
    forget(*pair);
    leave();
}

void PortPairs::end(PortPair& pair) {
    if (pair.is_over) return;
    pair.is_over = true;
    if (pair.file) pair.file->close();
    forget(pair);
    pair.changed.raise();
}
void PortPairs::forget(PortPair& pair) {
    std::size_t bytes = 0;
    for (const std::string& data : pair.to_pod) bytes += data.size();
    pair.to_pod.clear();
    release(bytes);
}
void PortPairs::release(std::size_t bytes) {
    buffered_ -= bytes;
    room_.raise();
}
void PortPairs::leave() {
    --running_;
    // Either may be the end of this.
    if (is_lost_)
        ended_.raise();
    else if (running_ == 0)
        on_idle();
}

}  // namespace keelson::api
