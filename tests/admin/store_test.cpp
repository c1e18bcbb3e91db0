// The store and files over HTTP.
#include <openssl/sha.h>

#include "kernel/admin/staged_restore.h"
#include "kernel/store/lmdb.h"
#include "tests/admin/admin_fixture.h"

namespace keelson::admin {
namespace {

using ::testing::HasSubstr;

std::string sum_of(const std::string& bytes) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
    std::string text;
    for (const unsigned char byte : digest) {
        char two[3];
        std::snprintf(two, sizeof two, "%02x", byte);
        text += two;
    }
    return text;
}

std::string with_sum(const std::string& sum) {
    return kAdmin + ("X-Keelson-Sha256: " + sum) + "\r\n";
}

class TransferTest : public AdminTest {
  protected:
    void open_store() {
        store_.reset();
        auto opened = store::open_lmdb_store(root_ + "/data/store", {.keep_history = base::Duration::zero()});
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = std::move(*opened);
    }
    // Bytes in pieces: one write of the client is bounded.
    HttpAnswer send_large(const std::string& method, const std::string& target, const std::string& headers,
                          const std::string& body) {
        HttpsClient one = client();
        EXPECT_TRUE(one.send(method + " " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                             std::to_string(body.size()) + "\r\n" + headers + "\r\n"));
        for (std::size_t at = 0; at < body.size(); at += 16384)
            if (!one.send(std::string_view(body).substr(at, 16384))) break;
        return one.read_answer();
    }
    std::string files_in(const std::string& directory) {
        std::string names;
        for (const auto& entry : std::filesystem::directory_iterator(directory))
            names += entry.path().filename().string() + " ";
        return names;
    }
};

TEST_F(AdminTest, TheStoreIsSeenAndCompacted) {
    start_admin();
    for (int i = 0; i < 5; ++i) put("core/pods/a/one", std::to_string(i));
    const json before = parsed(ask("GET", "/v1/store"));
    EXPECT_EQ(before["keys"], 1);
    EXPECT_FALSE(before.contains("stagedRestore"));
    const auto current = before["revision"].get<std::uint64_t>();
    EXPECT_EQ(parsed(ask("POST", "/v1/store/compact",
                         R"({"revision":)" + std::to_string(current - 2) + "}"))["compacted"],
              current - 2);
    EXPECT_EQ(parsed(ask("POST", "/v1/store/compact"))["compacted"], current);
    problem(ask("POST", "/v1/store/rollback", R"({"revision":1,"dryRun":true})"), 410);
    // This engine has nothing to copy.
    EXPECT_GE(ask("GET", "/v1/store/snapshot").status, 400);
}

TEST_F(AdminTest, ARollbackIsSaidAndDone) {
    start_admin();
    put("core/pods/a/kept", "1");
    put("core/pods/a/lost", "1");
    put("core/pods/a/changed", "1");
    put("core/pods/a/same", "1");
    const auto then = std::to_string(store_->current());
    put("core/pods/a/changed", "2");
    put("core/pods/a/same", "2");
    put("core/pods/a/same", "1");
    remove("core/pods/a/lost");
    put("core/pods/a/new", "1");
    put("core/services/a/new", "1");
    const auto now = store_->current();
    const json all = parsed(ask("POST", "/v1/store/rollback", R"({"dryRun":true,"revision":)" + then + "}"));
    EXPECT_EQ(all["removed"], 2);
    const std::string body = R"({"prefix":"core/pods/","dryRun":true,"revision":)" + then + "}";
    const json some = parsed(ask("POST", "/v1/store/rollback", body));
    EXPECT_EQ(some["created"], 1);
    EXPECT_EQ(some["updated"], 1);
    EXPECT_EQ(some["removed"], 1);
    EXPECT_EQ(some["currentRevision"], now);
    EXPECT_EQ(some["changes"], json::parse(R"([{"key":"core/pods/a/changed","change":"update"},
        {"key":"core/pods/a/lost","change":"create"},{"key":"core/pods/a/new","change":"remove"}])"));
    EXPECT_EQ(store_->current(), now);
    const HttpAnswer done =
        ask("POST", "/v1/store/rollback", R"({"prefix":"core/pods/","revision":)" + then + "}");
    ASSERT_EQ(done.status, 200) << done.body;
    EXPECT_EQ(parsed(done)["currentRevision"], store_->current());
    EXPECT_EQ(store_->get("core/pods/a/changed").value()->bytes, "1");
    EXPECT_FALSE(store_->get("core/pods/a/new").value().has_value());
    EXPECT_TRUE(store_->get("core/services/a/new").value().has_value());
}

TEST_F(AdminTest, APreviewIsShort) {
    start_admin();
    put("a/first", "1");
    for (int i = 0; i < 150; ++i) put("a/" + std::to_string(1000 + i), "1");
    const json preview = parsed(ask("POST", "/v1/store/rollback", R"({"revision":1,"dryRun":true})"));
    EXPECT_GE(preview["removed"], 150);
    EXPECT_EQ(preview["changes"].size(), 100u);
    EXPECT_TRUE(preview["truncated"]);
}

TEST_F(TransferTest, SnapshotsGoOutAndComeBack) {
    open_store();
    start_admin();
    for (int i = 0; i < 50; ++i) put("core/pods/a/" + std::to_string(i), std::string(1000, 'x'));
    const HttpAnswer snapshot = ask("GET", "/v1/store/snapshot");
    ASSERT_EQ(snapshot.status, 200) << snapshot.body;
    const std::string sum = snapshot.header("x-keelson-sha256");
    EXPECT_EQ(sum, sum_of(snapshot.body));
    EXPECT_THAT(snapshot.header("digest"), HasSubstr("sha-256="));
    EXPECT_EQ(files_in(root_ + "/data/admin"), "");

    EXPECT_THAT(
        problem(send_large("POST", "/v1/store/restore", with_sum(std::string(64, 'a')), snapshot.body), 422),
        HasSubstr("Nothing was changed"));
    problem(send_large("POST", "/v1/store/restore", with_sum("abc"), snapshot.body), 400);
    const std::string nonsense(100'000, 'n');
    EXPECT_THAT(problem(send_large("POST", "/v1/store/restore", with_sum(sum_of(nonsense)), nonsense), 422),
                HasSubstr("no snapshot"));
    EXPECT_EQ(files_in(root_ + "/data/admin"), "");

    const HttpAnswer staged = send_large("POST", "/v1/store/restore", with_sum(sum), snapshot.body);
    ASSERT_EQ(staged.status, 202) << staged.body;
    EXPECT_TRUE(parsed(staged)["restartRequired"]);
    EXPECT_FALSE(parsed(staged)["restored"]);
    EXPECT_EQ(parsed(ask("GET", "/v1/store"))["stagedRestore"]["sha256"], sum);

    // The store in use goes on; the snapshot takes its place at the next start.
    put("core/pods/a/after", "1");
    const auto last = store_->current();
    server_.reset();
    store_.reset();
    const auto taken = take_staged_restore(root_ + "/data", root_ + "/data/store");
    ASSERT_TRUE(taken) << taken.error().message();
    ASSERT_TRUE(taken->has_value());
    EXPECT_GT(**taken, last);
    open_store();
    EXPECT_EQ(store_->count("core/pods/").value(), 50u);
    const auto again = take_staged_restore(root_ + "/data", root_ + "/data/store");
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->has_value());
}

// As docs/admin-api.md tells to.
TEST_F(TransferTest, CurlSpeaksIt) {
    if (std::system("curl --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no curl";
    open_store();
    upload_directory_ = root_ + "/more";
    start_admin();
    put("a/b", "1");
    place(root_ + "/data");
    write(root_ + "/ca.crt", authority_.certificate);
    write(root_ + "/admin.token", "admin-token");
    const auto curl = [this](const std::string& arguments) {
        const std::string command = "cd " + root_ +
                                    "; A=https://127.0.0.1:" + std::to_string(server_->port()) +
                                    "; curl --silent --show-error --fail-with-body --cacert ca.crt --header "
                                    "\"Authorization: Bearer $(cat "
                                    "admin.token)\" " +
                                    arguments;
        return std::system(command.c_str());
    };
    EXPECT_EQ(curl("$A/v1/plugins >/dev/null"), 0);
    EXPECT_EQ(curl("$A/v1/store/compact -d '{\"revision\": 1}' >/dev/null"), 0);
    EXPECT_EQ(curl("-X PUT $A/v1/log-level -d '{\"level\": \"debug\"}' >/dev/null"), 0);
    EXPECT_EQ(curl("-D headers -o keelson.snapshot $A/v1/store/snapshot"), 0);
    EXPECT_EQ(
        curl("-X POST -H \"X-Keelson-Sha256: $(sha256sum <keelson.snapshot | cut -c -64)\" -H "
             "'Content-Type: application/octet-stream' -T keelson.snapshot $A/v1/store/restore >/dev/null"),
        0);
    EXPECT_EQ(curl("-X DELETE $A/v1/store/restore"), 0);
    EXPECT_EQ(
        curl("-X PUT -H \"X-Keelson-Sha256: $(sha256sum <data/probe.so | cut -c -64)\" -T data/probe.so "
             "$A/v1/uploads/mydisk.so >/dev/null"),
        0);
    EXPECT_NE(curl("$A/v1/nothing >/dev/null 2>&1"), 0);
    const std::string socket = "cd " + root_ + "; curl -sf --unix-socket run/admin.sock ";
    EXPECT_EQ(std::system((socket + "http://localhost/v1/health >/dev/null").c_str()), 0);
}

TEST_F(TransferTest, AStagedRestoreCanBeForgotten) {
    open_store();
    start_admin();
    put("a/b", "1");
    const HttpAnswer snapshot = ask("GET", "/v1/store/snapshot");
    ASSERT_EQ(snapshot.status, 200);
    ASSERT_EQ(
        send_large("POST", "/v1/store/restore", with_sum(snapshot.header("x-keelson-sha256")), snapshot.body)
            .status,
        202);
    EXPECT_EQ(ask("DELETE", "/v1/store/restore").status, 204);
    EXPECT_FALSE(parsed(ask("GET", "/v1/store")).contains("stagedRestore"));
    EXPECT_EQ(files_in(root_ + "/data/admin"), "");
}

TEST_F(TransferTest, UploadsAreBounded) {
    limits_.snapshot_bytes = 10'000;
    open_store();
    start_admin();
    const std::string large(20'000, 'x');
    problem(send_large("POST", "/v1/store/restore", with_sum(sum_of(large)), large), 413);
    // Its length is not said, and a client that leaves in the middle leaves nothing.
    HttpsClient chunked = client();
    ASSERT_TRUE(chunked.send("POST /v1/store/restore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" +
                             with_sum(sum_of(large)) + "\r\n4E20\r\n" + large + "\r\n0\r\n\r\n"));
    problem(chunked.read_answer(), 413);
    {
        HttpsClient leaving = client();
        ASSERT_TRUE(leaving.send("POST /v1/store/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n" +
                                 with_sum(sum_of(large)) + "\r\nbegin"));
        ASSERT_TRUE(eventually([this] { return files_in(root_ + "/data/admin") != ""; }));
        problem(ask("GET", "/v1/store/snapshot"), 409);
        leaving.close();
    }
    EXPECT_TRUE(eventually([this] { return files_in(root_ + "/data/admin").empty(); }));
}

TEST_F(TransferTest, PluginFilesAreUploaded) {
    upload_directory_ = root_ + "/more";
    start_admin();
    place(root_ + "/data");
    const std::string library = base::read_file(root_ + "/data/probe.so").value();
    const std::string manifest = base::read_file(root_ + "/data/probe.yaml").value();
    problem(send_large("PUT", "/v1/uploads/probe.so", with_sum(std::string(64, '0')), library), 422);
    problem(send_large("PUT", "/v1/uploads/probe.so", with_sum(sum_of(manifest)), manifest), 422);
    EXPECT_THAT(
        problem(send_large("PUT", "/v1/uploads/probe.yaml", with_sum(sum_of("nme: x")), "nme: x"), 422),
        HasSubstr("line 1"));
    for (const char* name : {"probe.txt", "..so", "%2e%2e%2fx.so", ".x.so", "Probe.so"})
        EXPECT_GE(
            send_large("PUT", std::string("/v1/uploads/") + name, with_sum(sum_of(library)), library).status,
            400)
            << name;
    EXPECT_EQ(files_in(upload_directory_), "");

    const HttpAnswer first = send_large("PUT", "/v1/uploads/probe.so", with_sum(sum_of(library)), library);
    ASSERT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(parsed(first)["path"], upload_directory_ + "/probe.so");
    ASSERT_EQ(send_large("PUT", "/v1/uploads/probe.yaml", with_sum(sum_of(manifest)), manifest).status, 201);
    const HttpAnswer added =
        ask("POST", "/v1/plugins", R"({"manifest":")" + upload_directory_ + R"(/probe.yaml"})");
    EXPECT_EQ(added.status, 201) << added.body;
}

}  // namespace
}  // namespace keelson::admin
