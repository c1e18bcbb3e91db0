// Uploads of plugins' files into a directory that the operator has named.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "kernel/admin/documents.h"
#include "kernel/admin/routes.h"
#include "kernel/admin/transfer.h"
#include "kernel/base/files.h"
#include "kernel/plugin/exports.h"
#include "kernel/plugin/manifest.h"

namespace keelson::admin {
namespace {

using base::Reason;
using base::Result;
using base::Status;

bool is_file_name(const std::string& name) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    return !name.empty() && name.size() <= 100 && name.front() != '.' && name.front() != '-' &&
           name.find_first_not_of(letters) == std::string::npos;
}

// A file's bytes without a copy of them.
class Mapping {
  public:
    static Result<Mapping> open(const std::string& path) {
        KEELSON_TRY(const base::FileDescriptor file, base::open_file(path, O_RDONLY));
        KEELSON_TRY(const std::uint64_t size, base::file_size(file.get(), path));
        if (size == 0) return Status(Reason::bad_request, "the file is empty");
        void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (address == MAP_FAILED) return base::system_error("reading " + path, errno);
        return Mapping(address, size);
    }
    Mapping(Mapping&& other) noexcept
        : address_(std::exchange(other.address_, nullptr)), size_(other.size_) {}
    Mapping& operator=(Mapping&&) = delete;
    ~Mapping() {
        if (address_ != nullptr) ::munmap(address_, size_);
    }
    [[nodiscard]] std::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

  private:
    Mapping(void* address, std::size_t size) : address_(address), size_(size) {}
    void* address_;
    std::size_t size_;
};

Result<void> check_library(const std::string& path) {
    KEELSON_TRY(const Mapping image, Mapping::open(path));
    KEELSON_TRY(const plugin::Exports exports, plugin::read_exports(image.bytes()));
    if (!exports.has_entry)
        return Status(Reason::bad_request, "it does not export keelson_plugin, so it is no plugin");
    return base::ok();
}

Result<void> check_manifest(const std::string& path) {
    KEELSON_TRY(const std::string text, base::read_file(path, 1u << 20));
    KEELSON_TRY(const plugin::Manifest manifest, plugin::parse_manifest(text));
    (void)manifest;
    return base::ok();
}

}  // namespace

Outcome upload_file(Context& context, Request& request) {
    const std::string& directory = context.parts.upload_directory;
    if (directory.empty())
        return refuse(403,
                      "uploads are off: the operator names an upload directory in keelsond's "
                      "configuration to turn them on");
    const std::string& name = request.parameters.find("file")->second;
    const bool is_library = name.ends_with(".so");
    if (!is_file_name(name) || (!is_library && !name.ends_with(".yaml")))
        return refuse(400,
                      "the file name must be of a-z, 0-9, '-', '_' and '.', begin with a letter or digit, "
                      "and end in .so (library) or .yaml (manifest)");
    auto wanted = wanted_sha256(request);
    if (!wanted) return refuse(std::move(wanted).error());
    request.note = "sha256=" + *wanted;
    const std::unique_lock busy(context.transfer, std::try_to_lock);
    if (!busy)
        return refuse(409, "another snapshot, restore or upload is under way: try again when it has ended");
    // Hidden: the plugin host does not look at it.
    const TemporaryFile temporary(directory, ".upload-");
    const std::uint64_t limit_bytes =
        is_library ? context.parts.limits.library_bytes : context.parts.limits.json_bytes;
    auto size =
        receive_file(context, request, temporary.path(), is_library ? 0755 : 0644, limit_bytes, *wanted);
    if (!size) return refuse(std::move(size).error());
    const auto good = is_library ? check_library(temporary.path()) : check_manifest(temporary.path());
    if (!good)
        return refuse(422, name + " is not taken: " + good.error().message() + ". Nothing was changed");
    const std::string target = directory + "/" + name;
    if (std::rename(temporary.path().c_str(), target.c_str()) != 0)
        return refuse(Problem(base::system_error("placing " + target, errno)));
    if (auto synced = base::sync_directory(directory); !synced) return refuse(Problem(synced.error()));
    return answer_with("{\"path\":" + quoted(target) + ",\"bytes\":" + std::to_string(*size) +
                           ",\"sha256\":\"" + *wanted + "\"}\n",
                       201);
}

}  // namespace keelson::admin
