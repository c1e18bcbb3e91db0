// Users by fixed tokens. Of a token only a keyed hash is in memory, under a key that lives as long as this
// instance; so what a lookup compares tells nothing about tokens, and how long it takes does not either.
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "keelson/auth.hpp"
#include "token_file.h"

namespace {

namespace authentication = keelson::authentication;
using keelson::Code;
using keelson::Error;

constexpr std::chrono::seconds check_interval(1);
constexpr std::int32_t keep_seconds = 5;  // a token that was removed is good for that long at most
constexpr std::size_t maximum_file_bytes = std::size_t(16) << 20;

struct Config {
    std::string file;
    KEELSON_FIELDS(field.required("file", self.file))
};

// By what a changed file is told from the one that was read.
struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    std::int64_t modified_ns = 0;

    bool operator==(const Stamp& other) const {
        return device == other.device && inode == other.inode && size == other.size &&
               modified_ns == other.modified_ns;
    }
};

Stamp stamp_of(const struct stat& status) {
    return {status.st_dev, status.st_ino, status.st_size,
            std::int64_t(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

[[noreturn]] void fail(const std::string& path, int error) {
    throw Error(Code::invalid, path + ": " + std::strerror(error));
}

// The file and the stamp that goes with just this content.
std::string read_file(const std::string& path, Stamp& stamp) {
    const keelson::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) fail(path, errno);
    if (!S_ISREG(status.st_mode)) throw Error(Code::invalid, path + " is not a file");
    if (std::size_t(status.st_size) > maximum_file_bytes) throw Error(Code::invalid, path + " is too large");
    stamp = stamp_of(status);
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path, errno);
        if (count == 0) break;
        text.append(buffer, std::size_t(count));
        if (text.size() > maximum_file_bytes) throw Error(Code::invalid, path + " is too large");
    }
    OPENSSL_cleanse(buffer, sizeof buffer);
    return text;
}

class StaticTokens : public keelson::AuthenticatorPlugin {
  public:
    StaticTokens(keelson::Host host, const keelson::Json& config)
        : host_(host), path_(keelson::read_as<Config>(config).file) {
        if (RAND_bytes(key_, sizeof key_) != 1) throw Error(Code::internal, "there is no randomness");
        if (path_.empty()) throw Error(Code::invalid, "file is empty: name the file with the tokens", "file");
        users_ = read_users(stamp_);
        checked_ = host_.monotonic();
    }
    ~StaticTokens() { OPENSSL_cleanse(key_, sizeof key_); }

    authentication::Authenticated authenticate(const authentication::Authenticate& request) {
        authentication::Authenticated answer;
        if (request.token.empty()) return answer;
        const std::shared_ptr<const Users> users = current_users();
        const Digest digest = keyed(sha256(request.token));
        const auto found = users->find(digest);
        if (found == users->end() || CRYPTO_memcmp(found->first.data(), digest.data(), digest.size()) != 0)
            return answer;
        answer.authenticated = true;
        answer.user = authentication::User{found->second.name, found->second.uid, found->second.groups, {}};
        answer.ttl_seconds = keep_seconds;
        return answer;
    }

    keelson::Health health() {
        current_users();
        const std::lock_guard<std::mutex> lock(mutex_);
        if (problem_.empty()) return {};
        return {false, "the tokens read before stay in use: " + problem_};
    }

  private:
    using Users = std::map<Digest, TokenUser>;

    Digest keyed(const Digest& digest) const {
        Digest result;
        unsigned int size = 0;
        HMAC(EVP_sha256(), key_, sizeof key_, digest.data(), digest.size(), result.data(), &size);
        return result;
    }

    std::shared_ptr<const Users> read_users(Stamp& stamp) const {
        std::string text = read_file(path_, stamp);
        std::vector<TokenEntry> entries;
        try {
            entries = parse_token_file(text);
        } catch (const Error& error) {
            OPENSSL_cleanse(text.data(), text.size());
            throw Error(error.code(), path_ + ": " + error.what());
        }
        OPENSSL_cleanse(text.data(), text.size());
        auto users = std::make_shared<Users>();
        for (TokenEntry& entry : entries) {
            const bool is_new = users->insert_or_assign(keyed(entry.digest), std::move(entry.user)).second;
            if (!is_new) host_.warn(path_ + " has a token twice; the last one counts");
        }
        return users;
    }

    // Looks at the file when the last look is old enough, and reads it when it is another one.
    std::shared_ptr<const Users> current_users() {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto now = host_.monotonic();
        if (now - checked_ < check_interval) return users_;
        checked_ = now;
        struct stat status {};
        const bool exists = ::stat(path_.c_str(), &status) == 0;
        const Stamp stamp = exists ? stamp_of(status) : Stamp();
        if (stamp == stamp_) return users_;
        try {
            Stamp read = stamp;
            users_ = read_users(read);
            stamp_ = read;
            problem_.clear();
            host_.info(path_ + " was read again: " + std::to_string(users_->size()) + " tokens");
        } catch (const std::exception& error) {
            stamp_ = stamp;  // said once for each version of the file
            problem_ = error.what();
            host_.error("the tokens read before stay in use: " + problem_);
        }
        return users_;
    }

    keelson::Host host_;
    std::string path_;
    unsigned char key_[32];
    std::mutex mutex_;
    std::shared_ptr<const Users> users_;
    Stamp stamp_;
    std::chrono::microseconds checked_{};
    std::string problem_;
};

}  // namespace

KEELSON_PLUGIN(StaticTokens, "dev.keelson.token", "0.1.0")
