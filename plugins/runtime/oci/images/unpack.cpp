#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <clocale>

#include <cerrno>
#include <exception>
#include <limits>
#include <memory>
#include <string_view>

#include "files.h"
#include "keelson/error.hpp"
#include "layer_stream.h"
#include "tree_writer.h"

namespace keelson::oci {
namespace {

// libarchive turns names into the character set of the thread's locale; this one leaves them as they are.
class NamesAsTheyAre {
  public:
    NamesAsTheyAre() {
        // One for all threads, for as long as the process lives.
        static const locale_t plain = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
        if (plain != nullptr) before_ = ::uselocale(plain);
    }
    ~NamesAsTheyAre() {
        if (before_ != nullptr) ::uselocale(before_);
    }
    NamesAsTheyAre(const NamesAsTheyAre&) = delete;
    NamesAsTheyAre& operator=(const NamesAsTheyAre&) = delete;

  private:
    locale_t before_ = nullptr;
};

std::string text_of(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
}

// Those that the overlay itself reads must not come from an image, and the rest belongs to the host.
bool is_kept_attribute(std::string_view name) {
    return name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay."));
}

std::uint32_t number_of(la_int64_t number, const std::string& path) {
    // The highest one means "leave it as it is" to chown.
    if (number < 0 || number >= std::numeric_limits<std::uint32_t>::max())
        throw Error(Code::invalid,
                    "a layer is refused: the owner of \"" + path.substr(0, 300) + "\" is no number");
    return std::uint32_t(number);
}

Attributes attributes_of(archive_entry* entry, const std::string& path) {
    Attributes attributes;
    attributes.mode = archive_entry_perm(entry);
    attributes.owner = number_of(archive_entry_uid(entry), path);
    attributes.group = number_of(archive_entry_gid(entry), path);
    attributes.modified = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
    archive_entry_xattr_reset(entry);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
        if (name != nullptr && is_kept_attribute(name))
            attributes.extended.emplace_back(name, std::string(static_cast<const char*>(value), size));
    return attributes;
}

class Unpacking {
  public:
    Unpacking(ByteSource& source, int root, const Limits& limits)
        : stream_(source, limits), tree_(root, limits), limits_(limits) {}

    UnpackedLayer run() {
        open();
        while (archive_entry* entry = next_entry()) unpack(entry);
        UnpackedLayer layer;
        layer.diff_id = stream_.finish();
        layer.implicit_directories = tree_.finish();
        layer.bytes = bytes_;
        layer.inodes = tree_.inodes();
        return layer;
    }

  private:
    static la_ssize_t read_piece(archive* reader, void* context, const void** data) {
        auto& self = *static_cast<Unpacking*>(context);
        try {
            const std::string_view piece = self.stream_.next();
            self.has_ended_ = piece.empty();
            *data = piece.data();
            return la_ssize_t(piece.size());
        } catch (...) {
            self.failure_ = std::current_exception();
            archive_set_error(reader, EIO, "the source failed");
            return ARCHIVE_FATAL;
        }
    }

    void open() {
        archive_read_support_format_tar(reader_.get());
        archive_read_support_format_empty(reader_.get());
        if (archive_read_open(reader_.get(), this, nullptr, &read_piece, nullptr) != ARCHIVE_OK) fail();
    }

    [[noreturn]] void fail() {
        if (failure_) std::rethrow_exception(failure_);
        throw Error(Code::invalid,
                    "a layer is no whole tar archive: " + text_of(archive_error_string(reader_.get())));
    }

    archive_entry* next_entry() {
        if (lacks_padding_) return nullptr;
        archive_entry* entry = nullptr;
        const int result = archive_read_next_header(reader_.get(), &entry);
        if (result == ARCHIVE_EOF) return nullptr;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail();
        if (++entries_ > limits_.layer_entries)
            throw Error(Code::invalid,
                        "a layer has more than " + std::to_string(limits_.layer_entries) + " entries");
        return entry;
    }

    void unpack(archive_entry* entry) {
        const std::string path = text_of(archive_entry_pathname(entry));
        if (path.empty()) throw Error(Code::invalid, "a layer is refused: an entry has no name");
        if (archive_entry_hardlink(entry) != nullptr)
            return tree_.hard_link(path, text_of(archive_entry_hardlink(entry)));
        const Attributes attributes = attributes_of(entry, path);
        switch (archive_entry_filetype(entry)) {
            case AE_IFDIR:
                return tree_.directory(path, attributes);
            case AE_IFREG:
                return unpack_file(entry, path, attributes);
            case AE_IFLNK:
                return tree_.symbolic_link(path, text_of(archive_entry_symlink(entry)), attributes);
            case AE_IFCHR:
            case AE_IFBLK:
            case AE_IFIFO:
                return tree_.node(path, archive_entry_filetype(entry), archive_entry_rdev(entry), attributes);
            default:
                throw Error(Code::invalid,
                            "a layer is refused: \"" + path.substr(0, 300) + "\" is of no known type");
        }
    }

    void unpack_file(archive_entry* entry, const std::string& path, const Attributes& attributes) {
        const la_int64_t size = archive_entry_size(entry);
        if (size < 0 || std::uint64_t(size) > limits_.layer_bytes - bytes_)
            throw Error(Code::invalid,
                        "a layer is larger than " + std::to_string(limits_.layer_bytes) + " bytes");
        bytes_ += std::uint64_t(size);
        const Descriptor file = tree_.file(path);
        if (!file) return;
        copy_data(file, size);
        TreeWriter::finish_file(file, attributes);
    }

    // Blocks come with their offsets: what lies between them is a hole.
    void copy_data(const Descriptor& file, la_int64_t size) {
        la_int64_t end = 0;
        while (true) {
            const void* data = nullptr;
            std::size_t length = 0;
            la_int64_t offset = 0;
            const int result = archive_read_data_block(reader_.get(), &data, &length, &offset);
            if (result == ARCHIVE_EOF) break;
            if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
                // Some programs end a layer with the last byte of its last file. All of it has come.
                lacks_padding_ = !failure_ && has_ended_ && end == size;
                if (lacks_padding_) break;
                fail();
            }
            if (offset < end || offset > size || std::uint64_t(size - offset) < length)
                throw Error(Code::invalid, "a layer is refused: a file of it has more bytes than it says");
            if (offset != end && ::lseek(file.get(), offset, SEEK_SET) < 0)
                throw_errno("cannot write a sparse file");
            write_all(file.get(), static_cast<const char*>(data), length, "a file of a layer");
            end = offset + la_int64_t(length);
        }
        if (end < size && ::ftruncate(file.get(), size) != 0) throw_errno("cannot write a sparse file");
    }

    LayerStream stream_;
    TreeWriter tree_;
    const Limits& limits_;
    std::unique_ptr<archive, int (*)(archive*)> reader_{archive_read_new(), archive_read_free};
    std::exception_ptr failure_;
    bool has_ended_ = false;      // the source of the tar
    bool lacks_padding_ = false;  // and the blocks that end an archive
    std::uint64_t entries_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace

UnpackedLayer unpack_layer(ByteSource& source, int root, const Limits& limits) {
    const NamesAsTheyAre names;
    return Unpacking(source, root, limits).run();
}

}  // namespace keelson::oci
