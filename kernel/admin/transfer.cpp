#include "kernel/admin/transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "kernel/base/base64.h"
#include "kernel/base/files.h"
#include "kernel/base/ids.h"
#include "kernel/base/sha256.h"

namespace keelson::admin {
namespace {

constexpr std::size_t kPiece = 64u << 10;

Problem too_large(std::uint64_t limit_bytes) {
    return {413, "the body is longer than the limit of " + std::to_string(limit_bytes) + " bytes"};
}

}  // namespace

tl::expected<std::string, Problem> wanted_sha256(const Request& request) {
    std::string text = request.header("x-keelson-sha256");
    std::ranges::transform(text, text.begin(), [](unsigned char letter) { return std::tolower(letter); });
    if (text.empty())
        return refuse(400,
                      "the header X-Keelson-Sha256 is missing: the SHA-256 of the body, in hexadecimal "
                      "(sha256sum FILE)");
    if (text.size() != 64 || text.find_first_not_of("0123456789abcdef") != std::string::npos)
        return refuse(400, "X-Keelson-Sha256 must be 64 hexadecimal digits");
    return text;
}

TemporaryFile::TemporaryFile(const std::string& directory, const std::string& prefix)
    : path_(directory + "/" + prefix + base::make_random_suffix(12)) {}

TemporaryFile::~TemporaryFile() {
    (void)!base::remove_file(path_);
}

tl::expected<std::uint64_t, Problem> receive_file(const Context& context, const Request& request,
                                                  const std::string& path, mode_t mode,
                                                  std::uint64_t limit_bytes, const std::string& sha256) {
    BodySource& source = *request.source;
    if (source.length().value_or(0) > limit_bytes) return refuse(too_large(limit_bytes));
    const auto file = base::open_file(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (!file) return refuse(Problem(file.error()));
    source.limit_time(context.parts.limits.transfer_timeout);
    base::Sha256 sum;
    std::vector<char> piece(kPiece);
    std::uint64_t size = 0;
    while (true) {
        auto count = source.read(piece.data(), piece.size());
        if (!count) return refuse(std::move(count).error());
        if (*count == 0) break;
        if (size + *count > limit_bytes) return refuse(too_large(limit_bytes));
        const std::string_view bytes(piece.data(), *count);
        if (auto written = base::write_at(file->get(), bytes, size, path); !written)
            return refuse(Problem(written.error()));
        sum.add(bytes);
        size += *count;
    }
    if (const std::string got = base::hexadecimal(sum.finish()); got != sha256)
        return refuse(422, "the body's SHA-256 is " + got + ", not " + sha256 +
                               " as X-Keelson-Sha256 says: it was damaged on the way, send it again. Nothing "
                               "was changed");
    // Whoever makes the mask narrower must not make a library unreadable.
    if (::fchmod(file->get(), mode) != 0 || ::fsync(file->get()) != 0)
        return refuse(Problem(base::system_error("writing " + path, errno)));
    return size;
}

base::Result<FileSum> sum_file(const Context& context, int descriptor, const std::string& path) {
    FileSum result;
    KEELSON_TRY(result.bytes, base::file_size(descriptor, path));
    base::Sha256 sum;
    std::vector<char> piece(kPiece);
    for (std::uint64_t at = 0; at < result.bytes;) {
        if (context.gate->stage() == Gate::Stage::closed)
            return base::Status(base::Reason::service_unavailable, "the server stops");
        const std::size_t count = std::min<std::uint64_t>(piece.size(), result.bytes - at);
        KEELSON_TRY_VOID(base::read_at(descriptor, piece.data(), count, at, path));
        sum.add({piece.data(), count});
        at += count;
    }
    const base::Sha256Digest digest = sum.finish();
    result.hexadecimal = base::hexadecimal(digest);
    result.base64 = base::base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
    return result;
}

}  // namespace keelson::admin
