#include "kernel/api/response_parser.h"

#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <limits>
#include <utility>

namespace keelson::api {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using Text = boost::beast::string_view;

}  // namespace

struct ResponseParser::Impl : http::basic_parser<false> {
    explicit Impl(bool is_head) {
        this->header_limit(static_cast<std::uint32_t>(ResponseParser::header_limit_bytes));
        // No limit at all would refuse every body whose length is told.
        this->body_limit(std::numeric_limits<std::uint64_t>::max());
        this->eager(true);
        this->skip(is_head);
    }
    void on_request_impl(http::verb, Text, Text, int, error_code&) override {}
    void on_response_impl(int code, Text, int, error_code&) override { status = code; }
    void on_field_impl(http::field, Text name, Text value, error_code&) override {
        if (!in_trailer)
            headers.push_back(
                {std::string(name.data(), name.size()), std::string(value.data(), value.size())});
    }
    void on_header_impl(error_code&) override { in_trailer = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(Text text, error_code&) override {
        body.append(text.data(), text.size());
        return text.size();
    }
    void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, Text text, error_code&) override {
        body.append(text.data(), text.size());
        return text.size();
    }
    void on_finish_impl(error_code&) override {}

    std::string pending;  // not understood yet
    int status = 0;
    std::vector<Header> headers;
    std::string body;
    bool in_trailer = false;
};

ResponseParser::ResponseParser(bool is_head) : impl_(std::make_unique<Impl>(is_head)) {}
ResponseParser::~ResponseParser() = default;

bool ResponseParser::put(std::string_view bytes) {
    std::string& pending = impl_->pending;
    pending += bytes;
    std::size_t used = 0;
    while (used < pending.size() && !impl_->is_done()) {
        error_code code;
        const std::size_t count = impl_->put({pending.data() + used, pending.size() - used}, code);
        used += count;
        if (code == http::error::need_more) break;
        if (code) return false;
        if (count == 0) break;
    }
    pending.erase(0, used);
    return pending.size() <= header_limit_bytes;
}

bool ResponseParser::put_end() {
    error_code code;
    if (!impl_->is_done()) impl_->put_eof(code);
    return !code && impl_->is_done();
}

bool ResponseParser::header_done() const {
    return impl_->is_header_done();
}
bool ResponseParser::done() const {
    return impl_->is_done();
}
int ResponseParser::status() const {
    return impl_->status;
}
const std::vector<Header>& ResponseParser::headers() const {
    return impl_->headers;
}
std::string ResponseParser::take_body() {
    return std::exchange(impl_->body, {});
}

}  // namespace keelson::api
