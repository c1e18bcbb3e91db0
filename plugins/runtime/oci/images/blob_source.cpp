#include "blob_source.h"

#include <algorithm>
#include <vector>

#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

constexpr int maximum_interruptions = 64;
constexpr std::size_t skipped_piece_bytes = 65536;

}  // namespace

BlobSource::BlobSource(const StoreSettings& settings, const Interrupt& interrupt,
                       std::vector<RegistryEndpoint*> endpoints, Content content,
                       std::function<void(std::uint64_t)> received)
    : settings_(settings),
      interrupt_(interrupt),
      endpoints_(std::move(endpoints)),
      content_(std::move(content)),
      received_(std::move(received)) {}

// Of several failures the last one counts: it is the registry's own.
void BlobSource::open() {
    for (std::size_t index = 0; index < endpoints_.size(); ++index) {
        try {
            return open_at(*endpoints_[index]);
        } catch (const Error& error) {
            const bool is_over = error.code() == Code::cancelled || error.code() == Code::deadline_exceeded;
            if (is_over || index + 1 == endpoints_.size()) throw;
        }
    }
}

void BlobSource::open_at(RegistryEndpoint& endpoint) {
    RegistryEndpoint::Headers headers;
    if (offset_ > 0) headers.emplace_back("Range", "bytes=" + std::to_string(offset_) + "-");
    response_ = endpoint.get("/blobs/" + content_.digest, headers);
    const bool is_part = response_->status() == 206;
    if (is_part && !response_->header("Content-Range").starts_with("bytes " + std::to_string(offset_) + "-"))
        throw Error(Code::unavailable,
                    "the registry " + endpoint.name() + " sends another part than was asked for");
    const auto length = response_->length();
    if (!is_part && length && *length != content_.size)
        throw Error(Code::invalid, content_.digest + " has " + std::to_string(*length) + " bytes at " +
                                       endpoint.name() + ", and " + std::to_string(content_.size) +
                                       " in the manifest");
    if (!is_part && offset_ > 0) skip(offset_);
}

void BlobSource::skip(std::uint64_t bytes) {
    std::vector<char> piece(skipped_piece_bytes);
    while (bytes > 0) {
        const std::size_t size = response_->read(piece.data(), std::min<std::uint64_t>(bytes, piece.size()));
        if (size == 0) throw TransportError("the blob has become shorter");
        bytes -= size;
    }
}

void BlobSource::break_off(const std::string& reason) {
    response_.reset();
    if (++failures_ >= settings_.attempts || ++interruptions_ > maximum_interruptions)
        throw Error(Code::unavailable,
                    "downloading " + content_.digest + " breaks off again and again: " + reason);
    pause_before(failures_, settings_, interrupt_);
}

void BlobSource::accept(const char* data, std::size_t size) {
    if (size > content_.size - offset_)
        throw Error(Code::invalid, content_.digest + " is longer than its manifest says");
    sum_.add(data, size);
    offset_ += size;
    failures_ = 0;
    if (received_) received_(size);
}

std::size_t BlobSource::read(char* buffer, std::size_t size) {
    while (!is_checked_) {
        interrupt_.check();
        try {
            if (!response_) open();
            const std::size_t got = response_->read(buffer, size);
            if (got > 0) {
                accept(buffer, got);
                return got;
            }
            if (offset_ == content_.size) break;
            break_off("the registry sends only " + std::to_string(offset_) + " of its bytes");
        } catch (const TransportError& error) {
            break_off(error.what());
        }
    }
    if (!is_checked_ && sum_.digest() != content_.digest)
        throw Error(Code::invalid, "what the registry sent is not " + content_.digest);
    is_checked_ = true;
    return 0;
}

}  // namespace keelson::oci
