#include "kernel/node/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/base/pause.h"
#include "kernel/node/log_files.h"
#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;

constexpr std::size_t kBlock = 64 << 10;
// Longer than any runtime writes: whatever comes without an end is not a log.
constexpr std::size_t kLongestLine = 1 << 20;
constexpr auto kPollPause = std::chrono::milliseconds(100);

bool is_wanted(const LogOptions& options, const LogLine& line) {
    if (options.stream.empty() || options.stream == "All") return true;
    return (options.stream == "Stdout") == (line.stream == "stdout");
}

// Finds where the last lines of a log begin, from the end backwards.
class TailFinder {
  public:
    TailFinder(const LogOptions& options, std::int64_t lines) : options_(options), left_(lines) {}

    // The offset in this file where the wanted lines begin; it is enough when is_done().
    Result<std::uint64_t> search(int file, const std::string& path) {
        KEELSON_TRY(std::uint64_t at, base::file_size(file, path));
        std::string rest;  // the beginning of what was read, whose line begins further ahead
        std::uint64_t rest_at = at;
        while (at > 0) {
            const std::size_t size = std::min<std::uint64_t>(at, kBlock);
            at -= size;
            std::string block(size, '\0');
            KEELSON_TRY_VOID(base::read_at(file, block.data(), size, at, path));
            block += rest;
            rest_at = at;
            while (const std::size_t line_begin = begin_of_last_line(block)) {
                if (!take(std::string_view(block).substr(line_begin))) return rest_at + block.size();
                block.resize(line_begin);
            }
            if (block.size() > kLongestLine) return rest_at + block.size();
            rest = std::move(block);
        }
        if (!rest.empty() && !take(rest)) return rest_at + rest.size();
        return std::uint64_t{0};
    }
    [[nodiscard]] bool is_done() const { return is_done_; }

  private:
    // Zero when the text has one line only, whose beginning may be missing.
    static std::size_t begin_of_last_line(std::string_view text) {
        if (text.size() < 2) return 0;
        const std::size_t end = text.rfind('\n', text.size() - 2);
        return end == std::string_view::npos ? 0 : end + 1;
    }

    // False: this line is one too many.
    bool take(std::string_view text) {
        if (text.ends_with('\n')) text.remove_suffix(1);
        LogLine line;
        if (!parse_log_line(text, line) || !is_wanted(options_, line)) return true;
        // Parts of a line count with its end; the parts of one that has not ended yet count together.
        const bool is_new = !line.is_partial || is_first_;
        is_first_ = false;
        if (is_new && left_ == 0) is_done_ = true;
        if (is_new && left_ > 0) --left_;
        return !is_done_;
    }

    const LogOptions& options_;
    std::int64_t left_;
    bool is_first_ = true;
    bool is_done_ = false;
};

// Reads the files one after the other. Blocks; used by one thread at a time.
class LogCursor {
  public:
    LogCursor(std::string path, LogOptions options) : path_(std::move(path)), options_(std::move(options)) {}

    Result<void> open() {
        const std::vector<std::string> files = log_files(path_);
        if (files.empty()) return Status(Reason::not_found, "there is no log " + path_);
        std::vector<FileDescriptor> opened;
        for (const std::string& file : files) {
            auto descriptor = base::open_file(file, O_RDONLY);
            if (descriptor) opened.push_back(std::move(*descriptor));
            // The oldest may have been removed meanwhile.
            if (!descriptor && descriptor.error().reason() != Reason::not_found) return descriptor.error();
        }
        if (opened.empty()) return Status(Reason::not_found, "there is no log " + path_);
        return seek(std::move(opened));
    }

    // Appends at least some text to `out`, if there is any. False: the end has been reached, for now.
    Result<bool> read(std::string& out, bool is_final) {
        while (out.size() < kBlock && !is_full()) {
            std::string block(kBlock, '\0');
            const ssize_t got =
                ::pread(files_.front().get(), block.data(), block.size(), static_cast<off_t>(offset_));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return base::system_error("reading " + path_, errno);
            if (got == 0) {
                const bool goes_on = advance();
                // A line is never spread over two files.
                if (goes_on || is_final) finish_line(out);
                if (goes_on) continue;
                return false;
            }
            offset_ += static_cast<std::uint64_t>(got);
            rest_.append(block, 0, static_cast<std::size_t>(got));
            take_lines(out);
        }
        return true;
    }

    [[nodiscard]] bool is_full() const { return options_.limit_bytes && written_ >= *options_.limit_bytes; }

  private:
    Result<void> seek(std::vector<FileDescriptor> opened) {
        std::size_t first = 0;
        if (options_.tail_lines) {
            TailFinder finder(options_, std::max<std::int64_t>(*options_.tail_lines, 0));
            for (first = opened.size(); first > 0 && !finder.is_done();) {
                --first;
                KEELSON_TRY(offset_, finder.search(opened[first].get(), path_));
            }
        }
        files_.assign(std::make_move_iterator(opened.begin() + static_cast<std::ptrdiff_t>(first)),
                      std::make_move_iterator(opened.end()));
        return {};
    }

    // At the end of a file: goes on to the next one, if there is one.
    bool advance() {
        if (files_.size() == 1 && options_.follow && !open_next()) return false;
        if (files_.size() == 1) return false;
        files_.erase(files_.begin());
        offset_ = 0;
        return true;
    }

    // After a rotation: what follows the present file. What was written to it before was read before, or will
    // be, because a runtime goes on writing to it until it has opened the new one.
    bool open_next() {
        struct stat present {
        }, named{};
        if (::fstat(files_.front().get(), &present) != 0) return false;
        if (::lstat(path_.c_str(), &named) != 0 || is_same(present, named)) return false;
        if (present.st_size > static_cast<off_t>(offset_)) return false;
        const std::vector<std::string> all = log_files(path_);
        auto next = std::find_if(all.begin(), all.end(), [&](const std::string& file) {
            return ::lstat(file.c_str(), &named) == 0 && is_same(present, named);
        });
        // Removed already: the newest is all that is known to be new.
        next = next == all.end() || std::next(next) == all.end() ? std::prev(all.end()) : std::next(next);
        auto descriptor = base::open_file(*next, O_RDONLY);
        if (!descriptor) return false;
        files_.push_back(std::move(*descriptor));
        return true;
    }
    static bool is_same(const struct stat& left, const struct stat& right) {
        return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
    }

    void take_lines(std::string& out) {
        std::size_t begin = 0;
        for (std::size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
            put(std::string_view(rest_).substr(begin, end - begin), true, out);
        rest_.erase(0, begin);
        if (rest_.size() > kLongestLine) rest_.clear();
    }
    // What was written of a line when its writer ended.
    void finish_line(std::string& out) {
        if (!rest_.empty()) put(rest_, false, out);
        rest_.clear();
    }

    void put(std::string_view text, bool has_end, std::string& out) {
        LogLine line;
        if (!parse_log_line(text, line) || !is_wanted(options_, line) || !is_recent(line)) return;
        if (options_.timestamps && is_line_start_) {
            append(line.time, out);
            append(" ", out);
        }
        append(line.text, out);
        is_line_start_ = !line.is_partial;
        if (has_end && !line.is_partial) append("\n", out);
    }
    [[nodiscard]] bool is_recent(const LogLine& line) const {
        if (!options_.since) return true;
        const auto time = object::parse_time(line.time);
        return time && object::wall_time_of(*time) >= *options_.since;
    }
    void append(std::string_view text, std::string& out) {
        if (options_.limit_bytes) {
            const std::int64_t left = std::max<std::int64_t>(*options_.limit_bytes - written_, 0);
            text = text.substr(0, static_cast<std::size_t>(left));
        }
        written_ += static_cast<std::int64_t>(text.size());
        out += text;
    }

    std::string path_;
    LogOptions options_;
    std::vector<FileDescriptor> files_;  // the first is being read; never empty once open
    std::uint64_t offset_ = 0;
    std::string rest_;  // the beginning of a line whose end has not been read
    std::int64_t written_ = 0;
    bool is_line_start_ = true;
};

class FileLogReader final : public LogReader {
  public:
    FileLogReader(std::shared_ptr<LogCursor> cursor, bool follows)
        : cursor_(std::move(cursor)), follows_(follows) {}

    Task<Result<std::string>> next() override {
        while (buffer_.empty() && !is_over_ && !is_stopped_) {
            // Asked before reading: what was written before the end is read after it was told.
            const bool is_final = !follows_ || is_finished_;
            auto read = [cursor = cursor_, is_final] { return read_some(*cursor, is_final); };
            auto reading = base::blocking(std::move(read));
            Result<Piece> piece = co_await reading;
            if (!piece) {
                is_over_ = true;
                co_return piece.error();
            }
            buffer_ = std::move(piece->text);
            is_over_ = piece->is_over;
            if (!buffer_.empty() || is_over_) break;
            auto pausing = pause_.sleep(kPollPause);
            (void)co_await pausing;
        }
        if (is_stopped_) co_return std::string();
        std::string text = buffer_.substr(0, kBlock);
        buffer_.erase(0, text.size());
        co_return text;
    }
    void finish() override { is_finished_ = true; }
    void stop() override {
        is_stopped_ = true;
        pause_.stop();
    }

  private:
    struct Piece {
        std::string text;
        bool is_over = false;
    };
    static Result<Piece> read_some(LogCursor& cursor, bool is_final) {
        Piece piece;
        KEELSON_TRY(const bool has_more, cursor.read(piece.text, is_final));
        piece.is_over = cursor.is_full() || (!has_more && is_final);
        return piece;
    }

    std::shared_ptr<LogCursor> cursor_;  // of one blocking call at a time
    bool follows_;
    std::string buffer_;
    bool is_over_ = false;
    std::atomic<bool> is_finished_{false};
    std::atomic<bool> is_stopped_{false};
    base::Pause pause_;
};

}  // namespace

Task<Result<std::shared_ptr<LogReader>>> open_log(std::string path, LogOptions options, base::Executor&) {
    const bool follows = options.follow;
    const auto cursor = std::make_shared<LogCursor>(std::move(path), std::move(options));
    auto open = [cursor] { return cursor->open(); };
    auto opening = base::blocking(std::move(open));
    const Result<void> opened = co_await opening;
    if (!opened) co_return opened.error();
    std::shared_ptr<LogReader> reader = std::make_shared<FileLogReader>(cursor, follows);
    co_return reader;
}

}  // namespace keelson::node
