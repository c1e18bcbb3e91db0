#include "kernel/api/gzip.h"

#include <zlib.h>

#include <cstdlib>

namespace keelson::api {

struct GzipStream::Impl {
    z_stream stream{};
};

GzipStream::GzipStream() : impl_(std::make_unique<Impl>()) {
    constexpr int window_bits_gzip = 15 + 16;
    // Only a wrong zlib or no memory at all can fail here.
    if (deflateInit2(&impl_->stream, 1, Z_DEFLATED, window_bits_gzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        std::abort();
}

GzipStream::~GzipStream() {
    deflateEnd(&impl_->stream);
}

void GzipStream::run(std::string_view data, int flush, std::string& out) {
    z_stream& stream = impl_->stream;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    constexpr std::size_t step_bytes = 32 << 10;
    do {
        const std::size_t before = out.size();
        out.resize(before + step_bytes);
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream.avail_out = step_bytes;
        deflate(&stream, flush);
        out.resize(before + step_bytes - stream.avail_out);
    } while (stream.avail_out == 0);
}

void GzipStream::add(std::string_view data, std::string& out) {
    run(data, Z_NO_FLUSH, out);
}

void GzipStream::finish(std::string& out) {
    run({}, Z_FINISH, out);
}

struct GunzipStream::Impl {
    z_stream stream{};
};

GunzipStream::GunzipStream(std::string_view compressed) : impl_(std::make_unique<Impl>()) {
    constexpr int window_bits_gzip = 15 + 16;
    if (inflateInit2(&impl_->stream, window_bits_gzip) != Z_OK) std::abort();
    impl_->stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    impl_->stream.avail_in = static_cast<uInt>(compressed.size());
}

GunzipStream::~GunzipStream() {
    inflateEnd(&impl_->stream);
}

std::string GunzipStream::next(std::size_t limit_bytes) {
    std::string out(limit_bytes, '\0');
    impl_->stream.next_out = reinterpret_cast<Bytef*>(out.data());
    impl_->stream.avail_out = static_cast<uInt>(limit_bytes);
    inflate(&impl_->stream, Z_NO_FLUSH);  // makes no progress once the end is reached
    out.resize(limit_bytes - impl_->stream.avail_out);
    return out;
}

}  // namespace keelson::api
