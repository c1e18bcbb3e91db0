#include "kernel/api/remote_command.h"

#include <algorithm>
#include <memory>

#include "kernel/api/loop_file.h"
#include "kernel/object/json.h"
#include "kernel/object/value.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::FileDescriptor;
using base::Result;
using base::Status;
using base::Task;

constexpr std::size_t kPiece = 32 << 10;
constexpr std::size_t kLongestResult = 4 << 10;
constexpr std::size_t kLongestSize = 256;
// A process that the command has left behind may keep its output open.
constexpr auto kGraceAfterEnd = std::chrono::milliseconds(500);

std::optional<int> exit_code_of(const std::string& text) {
    object::Arena arena;
    const auto root = object::parse_json_copy(text, arena);
    if (!root || !(*root)["exitCode"].is_integer()) return std::nullopt;
    return static_cast<int>((*root)["exitCode"].as_integer());
}

Status unknown_end() {
    return resource::internal_error(
        "error executing command in container: the runtime did not say how it ended");
}

// Lives as long as the task that runs it; everything that it starts ends before that.
class CommandSession {
  public:
    CommandSession(CommandChannels& channels, RemoteCommand command)
        : channels_(channels), command_(std::move(command)), has_result_(command_.tells_exit_code) {}

    Task<void> run() {
        CommandOutcome outcome;
        if (Result<void> opened = open(); !opened) outcome.failure = opened.error();
        if (!outcome.failure) {
            start();
            const bool has_output = output_ || error_;
            if (has_output) co_await outputs_done_;
            if (has_result_) co_await result_done_;
            if (!has_output && !has_result_) co_await receive_done_;
            outcome = this->outcome();
        }
        has_ended_ = true;
        channels_.on_lost({});
        if (!is_client_gone_) {
            auto finishing = channels_.finish(outcome);
            co_await finishing;
        }
        channels_.stop_receiving();
        if (is_receiving_) {
            // It may be waiting for a process that reads no more.
            if (input_) input_->close();
            co_await receive_done_;
        }
        close_all();
    }

  private:
    Result<void> open() {
        node::Streams& streams = command_.streams;
        KEELSON_TRY_VOID(open_one(std::move(streams.standard_input), input_));
        KEELSON_TRY_VOID(open_one(std::move(streams.standard_output), output_));
        KEELSON_TRY_VOID(open_one(std::move(streams.standard_error), error_));
        KEELSON_TRY_VOID(open_one(std::move(streams.result), result_));
        if (has_result_ && !result_) return unknown_end();
        return base::ok();
    }
    Result<void> open_one(FileDescriptor descriptor, std::shared_ptr<LoopFile>& file) {
        if (!descriptor) return base::ok();
        KEELSON_TRY(file, LoopFile::open(channels_.loop(), std::move(descriptor)));
        return base::ok();
    }

    void start() {
        channels_.on_lost([this] { lose_client(); });
        base::Executor& loop = channels_.loop();
        outputs_ = (output_ ? 1 : 0) + (error_ ? 1 : 0);
        is_receiving_ = true;
        if (has_result_) base::spawn(loop, await_result());
        if (output_) base::spawn(loop, pump(output_, Channel::output));
        if (error_) base::spawn(loop, pump(error_, Channel::error));
        base::spawn(loop, receive());
    }

    Task<void> pump(std::shared_ptr<LoopFile> file, Channel channel) {
        std::string data;
        while (true) {
            data.clear();
            auto reading = file->read(data, kPiece);
            const bool has_read = co_await reading;
            if (!has_read) break;
            auto sending = channels_.send(channel, data);
            const bool sent = co_await sending;
            if (!sent) {
                lose_client();
                break;
            }
        }
        file->close();
        if (--outputs_ == 0) {
            if (grace_) grace_->cancel();
            outputs_done_.complete(true);
        }
    }

    Task<void> await_result() {
        bool goes_on = true;
        while (goes_on && result_text_.size() < kLongestResult) {
            auto reading = result_->read(result_text_, kLongestResult);
            goes_on = co_await reading;
        }
        if (outputs_ > 0)
            grace_ = channels_.loop().post_after(kGraceAfterEnd, [output = output_, error = error_] {
                if (output) output->cancel_reads();
                if (error) error->cancel_reads();
            });
        result_done_.complete(true);
    }

    Task<void> receive() {
        while (true) {
            auto receiving = channels_.receive();
            std::optional<CommandInput> input = co_await receiving;
            if (!input) break;
            if (input->channel == Channel::resize) {
                auto resizing = resize(input->data);
                co_await resizing;
            } else {
                auto feeding = feed(*input);
                co_await feeding;
            }
        }
        is_receiving_ = false;
        lose_client();
        receive_done_.complete(true);
    }

    // A process that has closed its input does not want the rest.
    Task<void> feed(const CommandInput& input) {
        if (!input_) co_return;
        bool goes_on = !input.is_end;
        if (!input.data.empty()) {
            auto writing = input_->write(input.data);
            const bool written = co_await writing;
            goes_on = goes_on && written;
        }
        if (goes_on || !input_) co_return;
        input_->close();
        input_.reset();
    }

    Task<void> resize(const std::string& text) {
        const std::optional<TerminalSize> size = sizes_.put(text);
        if (!size || !command_.resize) co_return;
        auto resizing = command_.resize(size->columns, size->rows);
        // A terminal that has just gone needs no size.
        (void)co_await resizing;
    }

    void lose_client() {
        if (has_ended_) return;
        is_client_gone_ = true;
        close_all();
    }

    void close_all() {
        for (const auto& file : {input_, output_, error_, result_})
            if (file) file->close();
    }

    [[nodiscard]] CommandOutcome outcome() const {
        CommandOutcome outcome;
        outcome.command = command_.command;
        if (!has_result_) return outcome;
        if (const auto code = exit_code_of(result_text_))
            outcome.exit_code = *code;
        else
            outcome.failure = unknown_end();
        return outcome;
    }

    CommandChannels& channels_;
    RemoteCommand command_;
    bool has_result_;
    std::shared_ptr<LoopFile> input_, output_, error_, result_;
    std::string result_text_;
    TerminalSizes sizes_;
    std::shared_ptr<base::Timer> grace_;
    base::Completion<bool> outputs_done_, result_done_, receive_done_;
    int outputs_ = 0;
    bool is_receiving_ = false;
    bool is_client_gone_ = false;
    bool has_ended_ = false;
};

}  // namespace

std::optional<TerminalSize> TerminalSizes::put(std::string_view text) {
    std::optional<TerminalSize> last;
    for (const char byte : text) {
        rest_ += byte;
        if (byte != '}') {
            if (rest_.size() > kLongestSize) rest_.clear();
            continue;
        }
        object::Arena arena;
        const auto root = object::parse_json_copy(std::exchange(rest_, {}), arena);
        if (!root || !(*root)["Width"].is_integer() || !(*root)["Height"].is_integer()) continue;
        const auto side = [&](std::string_view name) {
            return static_cast<std::uint16_t>(
                std::clamp<std::int64_t>((*root)[name].as_integer(), 0, 0xffff));
        };
        last = TerminalSize{side("Width"), side("Height")};
    }
    return last;
}

Task<void> carry_command(CommandChannels& channels, RemoteCommand command) {
    CommandSession session(channels, std::move(command));
    auto running = session.run();
    co_await running;
}

}  // namespace keelson::api
