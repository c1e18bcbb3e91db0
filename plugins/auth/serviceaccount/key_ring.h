// The keys of the issuer: the newest signs, older ones verify until the last token that they signed has
// expired. They live in one file of the state directory, mode 0600; private keys that sign no more are not
// kept. Thread-safe. Times are seconds since 1970.
#ifndef KEELSON_KEY_RING_H
#define KEELSON_KEY_RING_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "signing_key.h"

class KeyRing {
  public:
    // Reads the file, or makes it with a first key. Throws keelson::Error when it cannot be read: keys are
    // never replaced because of that, all tokens would end.
    KeyRing(std::string path, std::int64_t rotation_seconds, std::int64_t now);

    // The key for a token that expires then; that it has to verify so long is on disk before it is answered.
    std::shared_ptr<const SigningKey> key_for(std::int64_t expires, std::int64_t now);
    // Null when there is none.
    std::shared_ptr<const SigningKey> find(const std::string& id) const;
    // JSON web keys, the newest first.
    std::vector<nlohmann::json> web_keys(std::int64_t now);

  private:
    struct Entry {
        std::shared_ptr<const SigningKey> key;
        std::int64_t created = 0;
        std::int64_t verifies_until = 0;
    };

    void load(const std::string& text);
    void save(const std::vector<Entry>& entries) const;
    void rotate_when_due(std::int64_t now);

    std::string path_;
    std::int64_t rotation_seconds_;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;  // the newest first; never empty
};

#endif
