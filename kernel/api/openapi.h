// Serves /openapi/v2 and /openapi/v3 as k8s.io/kube-openapi does: JSON or protobuf by the Accept header, ETag
// and If-None-Match, and for v3 an index of documents by group version whose URLs carry a hash.
//
// A document is made when it is first asked for, on the pool for blocking work, and kept compressed: few
// clients ask, and megabytes of text would outweigh the rest of the process.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/exchange.h"
#include "kernel/base/task.h"

namespace keelson::api {

class OpenApi {
  public:
    // Answers when the path is one of these; false (and nothing done) when not. Any thread.
    [[nodiscard]] base::Task<bool> handle(Exchange& exchange);

  private:
    enum class Form : std::uint8_t { json, protobuf };
    struct Entry {
        BodyPiece compressed;
        std::string etag;  // of the JSON, whatever the form, without quotes
    };
    struct Key {
        std::string name;  // "v2", "v3" (the index), "v3/apis/apps/v1"
        Form form = Form::json;
        auto operator<=>(const Key&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer
    };

    base::Task<void> answer(Exchange& exchange, Key key, std::string content_type);
    static base::Task<void> send_plain(Exchange& exchange, BodyPiece compressed, std::string content_type,
                                       std::vector<Header> headers);
    [[nodiscard]] std::shared_ptr<const Entry> cached(const Key& key);
    // Makes the document unless it is there; blocks. Null when there is none of that name.
    std::shared_ptr<const Entry> make(const Key& key);
    std::shared_ptr<const Entry> make_index(const Key& key);
    std::shared_ptr<const Entry> keep(const Key& key, std::string_view bytes, std::string etag);

    std::mutex building_;  // one at a time: they are large while being made
    std::mutex mutex_;     // of entries_; held for a moment only
    std::map<Key, std::shared_ptr<const Entry>> entries_;
};

}  // namespace keelson::api
