#include "key_ring.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "keelson/call.hpp"
#include "keelson/error.hpp"

namespace {

using keelson::Code;
using keelson::Descriptor;
using keelson::Error;
using Json = nlohmann::json;

constexpr std::int64_t leeway_seconds = 3600;    // beyond the expiry, for clocks that differ
constexpr std::int64_t margin_seconds = 86'400;  // so that the file is written once a day, not once a token

[[noreturn]] void fail(const std::string& path, const char* what) {
    throw Error(Code::internal, path + " cannot be " + what + ": " + std::strerror(errno));
}

// Nothing when there is no such file.
std::optional<std::string> read_private_file(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file && errno == ENOENT) return std::nullopt;
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) fail(path, "opened");
    if ((status.st_mode & 077) != 0 && ::fchmod(file.get(), 0600) != 0) fail(path, "made private");
    std::string text(std::size_t(status.st_size), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = ::read(file.get(), text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path, "read");
        if (count == 0) break;
        done += std::size_t(count);
    }
    text.resize(done);
    return text;
}

void write_all(const Descriptor& file, const std::string& text, const std::string& path) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = ::write(file.get(), text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) fail(path, "written");
        done += std::size_t(count);
    }
    if (::fsync(file.get()) != 0) fail(path, "written");
}

// Readers and crashes see the old content or the new.
void write_private_file(const std::string& path, const std::string& text) {
    const std::string temporary = path + ".new";
    ::unlink(temporary.c_str());
    {
        const Descriptor file(
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file) fail(temporary, "made");
        write_all(file, text, temporary);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "replaced");
    const Descriptor folder(
        ::open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0) fail(path, "made durable");
}

}  // namespace

KeyRing::KeyRing(std::string path, std::int64_t rotation_seconds, std::int64_t now)
    : path_(std::move(path)), rotation_seconds_(rotation_seconds) {
    if (auto text = read_private_file(path_)) {
        try {
            load(*text);
        } catch (const std::exception& problem) {
            throw Error(Code::internal, path_ + " is damaged: " + problem.what() +
                                            "; put the file back, or remove it to end all tokens");
        }
        OPENSSL_cleanse(text->data(), text->size());
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    rotate_when_due(now);
}

void KeyRing::load(const std::string& text) {
    const Json document = Json::parse(text);
    for (const Json& item : document.at("keys")) {
        const bool signs = item.contains("privateKey");
        SigningKey key = signs ? SigningKey::from_private_pem(item.at("privateKey").get<std::string>())
                               : SigningKey::from_public_pem(item.at("publicKey").get<std::string>());
        if (signs != entries_.empty()) throw std::runtime_error("not just the first key is private");
        entries_.push_back({std::make_shared<const SigningKey>(std::move(key)),
                            item.at("created").get<std::int64_t>(),
                            item.at("verifiesUntil").get<std::int64_t>()});
    }
    if (entries_.empty()) throw std::runtime_error("it holds no key");
}

void KeyRing::save(const std::vector<Entry>& entries) const {
    Json keys = Json::array();
    for (const Entry& entry : entries) {
        Json item{{"created", entry.created}, {"verifiesUntil", entry.verifies_until}};
        if (keys.empty())
            item["privateKey"] = entry.key->private_pem();
        else
            item["publicKey"] = entry.key->public_pem();
        keys.push_back(std::move(item));
    }
    std::string text = Json{{"keys", std::move(keys)}}.dump(2) + "\n";
    write_private_file(path_, text);
    OPENSSL_cleanse(text.data(), text.size());
}

// Nothing changes in memory before it is on disk.
void KeyRing::rotate_when_due(std::int64_t now) {
    if (!entries_.empty() && now < entries_.front().created + rotation_seconds_) return;
    std::vector<Entry> entries;
    entries.push_back({std::make_shared<const SigningKey>(SigningKey::make()), now, now});
    for (const Entry& entry : entries_) {
        if (now < entry.verifies_until + leeway_seconds) entries.push_back(entry);
    }
    save(entries);
    entries_ = std::move(entries);
}

std::shared_ptr<const SigningKey> KeyRing::key_for(std::int64_t expires, std::int64_t now) {
    const std::lock_guard<std::mutex> lock(mutex_);
    rotate_when_due(now);
    if (expires > entries_.front().verifies_until) {
        std::vector<Entry> entries = entries_;
        entries.front().verifies_until = expires + margin_seconds;
        save(entries);
        entries_ = std::move(entries);
    }
    return entries_.front().key;
}

std::shared_ptr<const SigningKey> KeyRing::find(const std::string& id) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.key->id() == id; });
    return found == entries_.end() ? nullptr : found->key;
}

std::vector<Json> KeyRing::web_keys(std::int64_t now) {
    const std::lock_guard<std::mutex> lock(mutex_);
    rotate_when_due(now);
    std::vector<Json> keys;
    for (const Entry& entry : entries_) keys.push_back(entry.key->web_key());
    return keys;
}
