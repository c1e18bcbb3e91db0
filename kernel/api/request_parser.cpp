#include "kernel/api/request_parser.h"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>

namespace keelson::api {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

std::string_view view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

struct RequestParser::Impl : http::basic_parser<true> {
    Impl(Request& target, std::size_t header_limit, std::size_t body_limit_bytes)
        : request(target), header_limit_bytes(header_limit), body_limit_size(body_limit_bytes) {
        this->header_limit(static_cast<std::uint32_t>(header_limit + 4));
        this->body_limit(body_limit_bytes);
        this->eager(true);
    }

    void on_request_impl(http::verb, boost::beast::string_view method, boost::beast::string_view target,
                         int version, error_code&) override {
        request.method = view(method);
        request.raw_target = view(target);
        http_1_0 = version == 10;
        request.headers.reserve(12);
    }
    void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
    void on_field_impl(http::field name, boost::beast::string_view text, boost::beast::string_view value,
                       error_code&) override {
        if (in_trailer) return;
        if (name == http::field::host) host = true;
        if (name == http::field::expect) expect = same_header_name(view(value), "100-continue");
        request.headers.push_back({std::string(view(text)), std::string(view(value))});
    }
    void on_header_impl(error_code&) override { in_trailer = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
        // Address space only: pages become resident as bytes arrive.
        if (length) request.body.reserve(std::min<std::uint64_t>(*length, body_limit_size));
    }
    std::size_t on_body_impl(boost::beast::string_view body, error_code&) override {
        request.body.append(body.data(), body.size());
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body, error_code&) override {
        request.body.append(body.data(), body.size());
        return body.size();
    }
    void on_finish_impl(error_code&) override {}

    Request& request;
    std::size_t header_limit_bytes;
    std::size_t body_limit_size;
    std::size_t header_bytes = 0;
    bool http_1_0 = false;
    bool host = false;
    bool expect = false;
    bool in_trailer = false;  // fields after the body are not the request's headers
};

RequestParser::RequestParser(Request& request, std::size_t header_limit_bytes, std::size_t body_limit_bytes)
    : impl_(std::make_unique<Impl>(request, header_limit_bytes, body_limit_bytes)) {}
RequestParser::~RequestParser() = default;

std::size_t RequestParser::put(std::string_view data, ParseError& error) {
    error = ParseError::none;
    std::size_t consumed = 0;
    while (consumed < data.size() && !impl_->is_done()) {
        const bool header_was_done = impl_->is_header_done();
        error_code code;
        const std::size_t count = impl_->put({data.data() + consumed, data.size() - consumed}, code);
        consumed += count;
        if (!header_was_done) {
            // Beast limits the unread part only; fields that it has already taken count as well.
            impl_->header_bytes += count;
            const std::size_t waiting = impl_->is_header_done() ? 0 : data.size() - consumed;
            if (!impl_->is_header_done() && impl_->header_bytes + waiting > impl_->header_limit_bytes) {
                error = ParseError::headers_too_large;
                return consumed;
            }
        }
        if (code == http::error::need_more) return consumed;
        if (code) {
            error = code == http::error::header_limit  ? ParseError::headers_too_large
                    : code == http::error::body_limit  ? ParseError::body_too_large
                    : code == http::error::bad_version ? ParseError::unsupported_version
                                                       : ParseError::malformed;
            return consumed;
        }
        if (count == 0) return consumed;
    }
    return consumed;
}

bool RequestParser::header_done() const {
    return impl_->is_header_done();
}
bool RequestParser::done() const {
    return impl_->is_done();
}
bool RequestParser::keep_alive() const {
    return impl_->keep_alive();
}
bool RequestParser::is_http_1_0() const {
    return impl_->http_1_0;
}
bool RequestParser::expects_continue() const {
    return impl_->expect && !impl_->http_1_0;
}
bool RequestParser::has_host() const {
    return impl_->host;
}
std::optional<std::uint64_t> RequestParser::content_length() const {
    const auto length = impl_->content_length();
    if (!length) return std::nullopt;
    return *length;
}

}  // namespace keelson::api
