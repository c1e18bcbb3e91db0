#include "layer_stream.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <exception>
#include <utility>

#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

constexpr std::size_t buffer_bytes = 131072;
constexpr std::size_t magic_bytes = 4;

}  // namespace

void check_ratio(std::uint64_t compressed_bytes, std::uint64_t bytes, const Limits& limits) {
    if (bytes > limits.ratio_free_bytes && bytes / limits.ratio > compressed_bytes)
        throw Error(Code::invalid, "it is compressed more than " + std::to_string(limits.ratio) +
                                       " to 1, as only decompression bombs are");
}

Compression compression_of(std::string_view start) {
    if (start.starts_with("\x1f\x8b")) return Compression::gzip;
    if (start.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
    return Compression::none;
}

// What libarchive reads from. An exception must not cross it: it is kept and thrown on the other side.
class LayerStream::Input {
  public:
    explicit Input(ByteSource& source) : source_(source) {}

    // The first bytes, without consuming them.
    std::string_view peek() {
        while (held_ < magic_bytes) {
            const std::size_t size = source_.read(buffer_.data() + held_, buffer_.size() - held_);
            if (size == 0) break;
            held_ += size;
        }
        return {buffer_.data(), held_};
    }
    std::string_view next() {
        const std::size_t size =
            held_ > 0 ? std::exchange(held_, 0) : source_.read(buffer_.data(), buffer_.size());
        bytes_ += size;
        return {buffer_.data(), size};
    }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    static la_ssize_t read_for_archive(archive* reader, void* context, const void** data) {
        auto& self = *static_cast<Input*>(context);
        try {
            const std::string_view piece = self.next();
            *data = piece.data();
            return la_ssize_t(piece.size());
        } catch (...) {
            self.failure_ = std::current_exception();
            archive_set_error(reader, EIO, "the source failed");
            return ARCHIVE_FATAL;
        }
    }
    void rethrow() const {
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    ByteSource& source_;
    std::vector<char> buffer_ = std::vector<char>(buffer_bytes);
    std::size_t held_ = 0;
    std::uint64_t bytes_ = 0;
    std::exception_ptr failure_;
};

struct LayerStream::Archive {
    std::unique_ptr<archive, int (*)(archive*)> reader{archive_read_new(), archive_read_free};
};

LayerStream::LayerStream(ByteSource& compressed, const Limits& limits)
    : limits_(limits), input_(std::make_unique<Input>(compressed)) {}
LayerStream::~LayerStream() = default;

void LayerStream::open() {
    is_open_ = true;
    const Compression compression = compression_of(input_->peek());
    if (compression == Compression::none) return;
    decompressor_ = std::make_unique<Archive>();
    archive* reader = decompressor_->reader.get();
    const int supported = compression == Compression::gzip ? archive_read_support_filter_gzip(reader)
                                                           : archive_read_support_filter_zstd(reader);
    if (supported != ARCHIVE_OK)
        throw Error(Code::unsupported, "this machine's libarchive cannot read the layer's compression");
    archive_read_support_format_raw(reader);
    archive_read_support_format_empty(reader);
    archive_entry* entry = nullptr;
    if (archive_read_open(reader, input_.get(), nullptr, &Input::read_for_archive, nullptr) != ARCHIVE_OK ||
        archive_read_next_header(reader, &entry) != ARCHIVE_OK) {
        input_->rethrow();
        if (archive_errno(reader) != 0)
            throw Error(Code::invalid,
                        std::string("a layer cannot be decompressed: ") + archive_error_string(reader));
        decompressor_.reset();
    }
}

std::string_view LayerStream::next_raw() {
    if (!decompressor_) return input_->next();
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(decompressor_->reader.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) return {};
    input_->rethrow();
    if (result < ARCHIVE_OK)
        throw Error(Code::invalid, std::string("a layer cannot be decompressed: ") +
                                       archive_error_string(decompressor_->reader.get()));
    return {static_cast<const char*>(data), size};
}

void LayerStream::account(std::size_t size) {
    tar_bytes_ += size;
    if (tar_bytes_ > limits_.layer_bytes)
        throw Error(Code::invalid,
                    "a layer is larger than " + std::to_string(limits_.layer_bytes) + " bytes");
    check_ratio(input_->bytes(), tar_bytes_, limits_);
}

std::string_view LayerStream::next() {
    if (!is_open_) open();
    const std::string_view piece = next_raw();
    account(piece.size());
    sum_.add(piece.data(), piece.size());
    return piece;
}

std::string LayerStream::finish() {
    while (!next().empty()) {
    }
    // The source checks its own digest at its end, which may lie behind the end of the compressed stream.
    while (!input_->next().empty()) {
    }
    return sum_.digest();
}

}  // namespace keelson::oci
