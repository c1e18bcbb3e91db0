// Commands that the node itself runs in containers: probes and lifecycle hooks.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "kernel/node/probe.h"
#include "kernel/object/json.h"

namespace keelson::node {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using Instant = std::chrono::steady_clock::time_point;

constexpr std::size_t kLongestResult = 4 << 10;
// A process that the command has left behind may keep its output open.
constexpr auto kGraceAfterEnd = std::chrono::milliseconds(500);

// What a command says, read as it comes. Blocks.
class OutputReader {
  public:
    OutputReader(Streams streams, std::size_t limit_bytes)
        : streams_(std::move(streams)), limit_(limit_bytes) {
        for (const FileDescriptor* stream : all())
            if (*stream) ::fcntl(stream->get(), F_SETFL, ::fcntl(stream->get(), F_GETFL) | O_NONBLOCK);
    }

    // False: the time is over before the command.
    bool read_until(Instant deadline) {
        while (streams_.result || streams_.standard_output || streams_.standard_error) {
            const Instant now = std::chrono::steady_clock::now();
            const bool has_ended = !streams_.result;
            const Instant end = has_ended ? std::min(deadline, ended_at_ + kGraceAfterEnd) : deadline;
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - now).count();
            // What is there already counts, however late it is looked at.
            const bool has_read = read_ready(static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
            if (!has_read && left <= 0) return has_ended;
        }
        return true;
    }

    Result<ExecOutput> result() {
        object::Arena arena;
        const auto root = object::parse_json(result_, arena);
        if (!root || !(*root)["exitCode"].is_integer())
            return Status(Reason::service_unavailable,
                          "the runtime did not say how the command ended: " + result_.substr(0, 200));
        ExecOutput output;
        output.exit_code = static_cast<std::int32_t>((*root)["exitCode"].as_integer());
        output.output = std::move(output_);
        return output;
    }

  private:
    std::array<FileDescriptor*, 3> all() {
        return {&streams_.standard_output, &streams_.standard_error, &streams_.result};
    }

    bool read_ready(int wait_ms) {
        std::array<pollfd, 3> polls{};
        const auto streams = all();
        for (std::size_t index = 0; index < polls.size(); ++index)
            polls[index] = {streams[index]->get(), POLLIN, 0};
        if (::poll(polls.data(), polls.size(), wait_ms) <= 0) return false;
        for (std::size_t index = 0; index < polls.size(); ++index)
            if (polls[index].revents != 0) read_one(*streams[index]);
        return true;
    }

    void read_one(FileDescriptor& stream) {
        char block[4096];
        const ssize_t got = ::read(stream.get(), block, sizeof block);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        const bool is_result = &stream == &streams_.result;
        if (got > 0) {
            // All is read, so that the command is not held up; what is too much is dropped.
            std::string& to = is_result ? result_ : output_;
            const std::size_t limit = is_result ? kLongestResult : limit_;
            to.append(block, std::min(static_cast<std::size_t>(got), limit - std::min(limit, to.size())));
            return;
        }
        stream.reset();
        if (is_result) ended_at_ = std::chrono::steady_clock::now();
    }

    Streams streams_;
    std::size_t limit_;
    std::string output_;
    std::string result_;
    Instant ended_at_{};
};

}  // namespace

Task<Result<ExecOutput>> run_in_container(std::string container_id, std::vector<std::string> command,
                                          std::chrono::seconds timeout, Runtime& runtime, base::Executor&,
                                          std::size_t limit_bytes) {
    // From here on: starting the command takes time as well.
    const Instant deadline = std::chrono::steady_clock::now() + timeout;
    const std::string late = fmt::format("command \"{}\" timed out", fmt::join(command, " "));
    ExecRequest request;
    request.container_id = std::move(container_id);
    request.command = std::move(command);
    request.timeout = timeout;
    auto starting = runtime.exec(std::move(request));
    Result<Streams> streams = co_await starting;
    if (!streams) co_return streams.error();
    const auto reader = std::make_shared<OutputReader>(std::move(*streams), limit_bytes);
    auto read = [reader, deadline] { return reader->read_until(deadline); };
    auto reading = base::blocking(std::move(read));
    const bool is_in_time = co_await reading;
    if (!is_in_time) co_return Status(Reason::timeout, late);
    co_return reader->result();
}

}  // namespace keelson::node
