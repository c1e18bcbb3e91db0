#include "archive_load.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <map>

#include "archive_contents.h"
#include "digest.h"
#include "files.h"
#include "keelson/error.hpp"
#include "layer_stream.h"

namespace keelson::oci {
namespace {

constexpr std::size_t buffer_bytes = 262144;
constexpr int look_again_after_ms = 50;
constexpr std::size_t sniffed_bytes = 512;

// A file, a pipe or a socket, whether it blocks or not; gives up when the call does.
class DescriptorSource : public ByteSource {
  public:
    DescriptorSource(int file, const Interrupt& interrupt) : file_(file), interrupt_(interrupt) {}

    std::size_t read(char* buffer, std::size_t size) override {
        while (true) {
            interrupt_.check();
            pollfd waiting = {file_, POLLIN, 0};
            if (::poll(&waiting, 1, look_again_after_ms) == 0) continue;
            const ssize_t got = ::read(file_, buffer, size);
            if (got >= 0) return std::size_t(got);
            if (errno != EINTR && errno != EAGAIN)
                throw Error(Code::invalid,
                            std::string("the archive cannot be read: ") + std::strerror(errno));
        }
    }

  private:
    int file_;
    const Interrupt& interrupt_;
};

class ArchiveReader {
  public:
    ArchiveReader(int file, LayerStore& layers, const Limits& limits, const Interrupt& interrupt)
        : source_(file, interrupt), layers_(layers), limits_(limits) {}

    ArchiveContents run() {
        open();
        while (archive_entry* entry = next_entry()) take(entry);
        return std::move(contents_);
    }

  private:
    // The data of the entry at hand, hashed as it is read.
    class EntrySource : public ByteSource {
      public:
        explicit EntrySource(ArchiveReader& reader) : reader_(reader) {}

        std::string_view sniff() {
            while (start_.size() < sniffed_bytes) {
                const std::size_t held = start_.size();
                start_.resize(sniffed_bytes);
                const std::size_t got = fetch(start_.data() + held, sniffed_bytes - held);
                start_.resize(held + got);
                if (got == 0) break;
            }
            return start_;
        }
        std::size_t read(char* buffer, std::size_t size) override {
            if (given_ == start_.size()) return fetch(buffer, size);
            const std::size_t count = std::min(size, start_.size() - given_);
            start_.copy(buffer, count, given_);
            given_ += count;
            return count;
        }
        [[nodiscard]] std::string digest() { return sum_.digest(); }

      private:
        std::size_t fetch(char* buffer, std::size_t size) {
            const la_ssize_t got = archive_read_data(reader_.reader_.get(), buffer, size);
            if (got < 0) reader_.fail();
            sum_.add(buffer, std::size_t(got));
            reader_.account(std::size_t(got));
            return std::size_t(got);
        }

        ArchiveReader& reader_;
        std::string start_;
        std::size_t given_ = 0;
        Sha256 sum_;
    };

    static la_ssize_t read_piece(archive* reader, void* context, const void** data) {
        auto& self = *static_cast<ArchiveReader*>(context);
        try {
            *data = self.buffer_.data();
            const std::size_t size = self.source_.read(self.buffer_.data(), self.buffer_.size());
            self.archive_bytes_ += size;
            return la_ssize_t(size);
        } catch (...) {
            self.failure_ = std::current_exception();
            archive_set_error(reader, EIO, "the source failed");
            return ARCHIVE_FATAL;
        }
    }

    void account(std::size_t size) {
        content_bytes_ += size;
        check_ratio(archive_bytes_, content_bytes_, limits_);
    }

    void open() {
        archive* reader = reader_.get();
        archive_read_support_filter_gzip(reader);
        archive_read_support_filter_bzip2(reader);
        archive_read_support_filter_xz(reader);
        archive_read_support_filter_zstd(reader);
        archive_read_support_format_tar(reader);
        if (archive_read_open(reader, this, nullptr, &read_piece, nullptr) != ARCHIVE_OK) fail();
    }

    [[noreturn]] void fail() {
        if (failure_) std::rethrow_exception(failure_);
        const char* reason = archive_error_string(reader_.get());
        throw Error(Code::invalid,
                    std::string("this is no whole image archive: ") + (reason == nullptr ? "" : reason));
    }

    archive_entry* next_entry() {
        archive_entry* entry = nullptr;
        const int result = archive_read_next_header(reader_.get(), &entry);
        if (result == ARCHIVE_EOF) return nullptr;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail();
        if (++entries_ > limits_.archive_entries)
            throw Error(Code::invalid,
                        "the archive has more than " + std::to_string(limits_.archive_entries) + " entries");
        return entry;
    }

    void take(archive_entry* entry) {
        const char* name = archive_entry_pathname(entry);
        if (name == nullptr) throw Error(Code::invalid, "an entry of the archive has no name");
        const std::string path = archive_path(name);
        if (const char* target = archive_entry_hardlink(entry)) {
            contents_.links[path] = archive_path(target);
        } else if (archive_entry_filetype(entry) == AE_IFLNK) {
            const char* link = archive_entry_symlink(entry);
            contents_.links[path] =
                archive_path(path.substr(0, path.rfind('/') + 1) + (link == nullptr ? "" : link));
        } else if (archive_entry_filetype(entry) == AE_IFREG) {
            take_file(path, archive_entry_size(entry));
        }
    }

    void take_file(const std::string& path, la_int64_t size) {
        if (size < 0 || std::uint64_t(size) > limits_.layer_bytes)
            throw Error(Code::invalid, "\"" + path.substr(0, 300) + "\" in the archive is too large");
        EntrySource source(*this);
        std::string digest;
        if (is_layer(path, source.sniff())) {
            digest = take_layer(path, source);
        } else if (std::uint64_t(size) <= limits_.config_bytes) {
            digest = take_document(path, source);
        } else {
            return;  // if an image refers to it, it will be missed there
        }
        constexpr std::string_view blobs = "blobs/sha256/";
        if (path.starts_with(blobs) && digest != "sha256:" + path.substr(blobs.size()))
            throw Error(Code::invalid, "\"" + path.substr(0, 300) +
                                           "\" in the archive has other content than its digest says");
    }

    static bool is_layer(const std::string& path, std::string_view start) {
        constexpr std::size_t magic_offset = 257;
        constexpr std::string_view magic = "ustar";
        return compression_of(start) != Compression::none || path.ends_with(".tar") ||
               (start.size() == sniffed_bytes && (start.substr(magic_offset, magic.size()) == magic ||
                                                  start.find_first_not_of('\0') == std::string_view::npos));
    }

    std::string take_layer(const std::string& path, EntrySource& source) {
        Workspace place = layers_.make_workspace();
        UnpackedLayer content = unpack_layer(source, place.root(), limits_);
        auto layer = std::make_shared<ArchiveLayer>(
            ArchiveLayer{BuiltLayer{std::move(place), std::move(content)}, source.digest()});
        contents_.layers_by_path[path] = layer;
        contents_.layers_by_digest[layer->digest] = layer;
        return layer->digest;
    }

    std::string take_document(const std::string& path, EntrySource& source) {
        std::string bytes;
        std::array<char, 16384> piece{};
        while (const std::size_t got = source.read(piece.data(), piece.size()))
            bytes.append(piece.data(), got);
        documents_bytes_ += bytes.size();
        if (documents_bytes_ > limits_.archive_documents_bytes)
            throw Error(Code::invalid, "the archive has more manifests and configs than fit in memory");
        std::string digest = source.digest();
        contents_.paths_by_digest[digest] = path;
        contents_.documents[path] = std::move(bytes);
        return digest;
    }

    DescriptorSource source_;
    LayerStore& layers_;
    const Limits& limits_;
    std::vector<char> buffer_ = std::vector<char>(buffer_bytes);
    std::unique_ptr<archive, int (*)(archive*)> reader_{archive_read_new(), archive_read_free};
    std::exception_ptr failure_;
    ArchiveContents contents_;
    std::uint64_t entries_ = 0;
    std::size_t documents_bytes_ = 0;
    std::uint64_t archive_bytes_ = 0;
    std::uint64_t content_bytes_ = 0;
};

}  // namespace

std::vector<ArchiveImage> read_archive(int archive, LayerStore& layers, const Limits& limits,
                                       const Interrupt& interrupt) {
    return images_of(ArchiveReader(archive, layers, limits, interrupt).run(), limits);
}

}  // namespace keelson::oci
