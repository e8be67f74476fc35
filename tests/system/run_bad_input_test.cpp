// Bad input and bad machines: the real binaries say what is wrong, with the right exit code, and nothing is injected or lost.
#include "tests/system/demo_platform.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <set>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

constexpr const char* arashi = BIN_DIR "/arashi";
constexpr const char* agent = BIN_DIR "/arashi-agent";

void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }

// An experiment on a process or namespace of the test's own, without a load: what is asked here comes before that or does not need it.
std::string experiment(const std::string& target, const std::string& step, const std::string& check = "sleep 2") {
  return "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: bad-input}\nspec:\n  targets:\n    it: " + target +
         "\n  checks:\n    wait: {command: [sh, -c, '" + check +
         "'], when: [before]}\n  steadyState: {for: 0s}\n  timeline:\n    - {at: 0s, for: 2s, "
         "on: it, " +
         step + "}\n  recovery: {within: 2s}\n  limits: {duration: 1m}\n";
}

// "&a [x, x, …]", and eight times a list of nine aliases of the one before: 9^9 nodes if it were expanded.
std::string alias_bomb() {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) text += (j > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    text += "]\n";
  }
  return text;
}

struct Bad {
  std::string what;
  fs::path file;
  std::string must_say;
};

std::vector<Bad> bad_files(const fs::path& folder) {
  const auto file = [&](const char* name, const std::string& text) {
    write(folder / name, text);
    return folder / name;
  };
  fs::create_directory(folder / "directory.yaml");
  const fs::path large = file("large.yaml", "apiVersion: arashi.dev/v1\n");
  fs::resize_file(large, 100'000'000);
  return {{"a spec of 100 MB", large, "large"},
          {"an alias bomb", file("bomb.yaml", alias_bomb()), "alias"},
          {"a directory", folder / "directory.yaml", "directory"},
          {"no such file", folder / "nowhere.yaml", "nowhere.yaml"},
          {"an empty file", file("empty.yaml", ""), "empty"},
          {"not YAML", file("broken.yaml", "spec: [1, 2\nkind: {"), "broken.yaml:"},
          {"binary", file("binary.yaml", std::string("\x7f\x45LF\0\1\2\xff\xfe", 9)), "binary.yaml"},
          {"a deep nest", file("deep.yaml", std::string(100'000, '[')), "deep"},
          {"an unknown key", file("key.yaml", experiment("{process: {nmae: x}}", "fault: process.kill")), "name"},
          {"a missing unit", file("unit.yaml", experiment("{node: {}}", "fault: network.impair, with: {delay: 50}")), "50ms"},
          {"an unknown fault", file("fault.yaml", experiment("{node: {}}", "fault: network.impare")), "network.impair"},
          {"a target of the wrong kind", file("target.yaml", experiment("{node: {}}", "fault: process.kill")), "process.kill takes"}};
}

// Answers every request on its socket with one text, as an agent of another release would.
class FakeAgent {
 public:
  FakeAgent(const fs::path& socket, std::string body) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    thread_ = std::jthread([this, body = std::move(body)] { serve(body); });
  }
  ~FakeAgent() { ::shutdown(listener_.get(), SHUT_RDWR); }
  FakeAgent(const FakeAgent&) = delete;
  FakeAgent& operator=(const FakeAgent&) = delete;

 private:
  void serve(const std::string& body) {
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    while (true) {
      const Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      std::array<char, 4096> request;
      if (::recv(peer.get(), request.data(), request.size(), 0) > 0) ::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  Fd listener_;
  std::jthread thread_;
};

// A file system of 64 kB, in a mount namespace of this thread and what it starts; gone with the guard, and with the process.
class SmallDisk {
 public:
  SmallDisk() {
    REQUIRE(::unshare(CLONE_NEWNS) == 0);
    REQUIRE(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    REQUIRE(::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, "size=64k,mode=0700") == 0);
  }
  ~SmallDisk() { ::umount2(directory_.path().c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }
  void fill() const { write(path() / "ballast", std::string(100'000, 'x')); }

 private:
  Directory directory_;
};

// A copy that everybody may read and run, wherever the source tree is.
std::string copy_for_everybody(const fs::path& folder, const char* binary) {
  const fs::path copy = folder / fs::path(binary).filename();
  fs::copy_file(binary, copy);
  fs::permissions(folder, fs::perms(0755));
  fs::permissions(copy, fs::perms(0755));
  return copy;
}

}  // namespace

TEST_CASE("what is no spec is refused with exit code 2, and the message says why") {
  const Directory folder;
  for (const auto& bad : bad_files(folder.path()))
    for (const char* command : {"check", "plan", "run"}) {
      const Ran ran = run({"sh", "-c", R"(cd "$1" && exec "$2" "$3" "$4")", "sh", folder.path(), arashi, command, bad.file});
      INFO(command << " " << bad.what << ": " << ran.output.substr(0, 2000));
      CHECK(ran.exit_code == 2);
      CHECK(ran.output.find(bad.must_say) != std::string::npos);
      CHECK(ran.output.size() < 20'000);
    }
  CHECK(!fs::exists(folder.path() / "arashi-runs"));
}

TEST_CASE("bad usage ends with exit code 2 and says how it is meant") {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {}, {"rum"}, {"run"}, {"run", "a", "b"}, {"run", "--agents", "http://10.0.0.1", example("held.yaml")}, {"report", "/nowhere"}}) {
    std::vector<std::string> argv{arashi};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const Ran ran = run(argv);
    INFO(ran.output);
    CHECK(ran.exit_code == 2);
    CHECK(!ran.output.empty());
  }
}

TEST_CASE("a target that dies between plan and injection is never a pass") {
  const Directory folder;
  auto victim = sleeper();
  const fs::path planned = folder.path() / "planned", dead = folder.path() / "dead";  // the check of before ends when the victim is dead
  const std::string check = "touch " + planned.string() + "; while ! test -e " + dead.string() + "; do sleep 0.05; done";
  write(folder.path() / "dies.yaml", experiment("{process: {pid: " + std::to_string(victim.pid()) + "}}", "fault: process.pause", check));
  Run run({folder.path() / "dies.yaml"});
  REQUIRE(eventually([&] { return fs::exists(planned); }, std::chrono::seconds(30)));
  victim.end();
  write(dead, "");
  const int code = run.wait();
  CHECK((code == 3 || code == 5));
  REQUIRE(run.result.is_object());
  CHECK(run.result["faults"][0]["activeAt"].is_null());
  CHECK(run.result["faults"][0]["problem"] != "");
}

TEST_CASE("an agent of another version is refused by name, with both versions and which to update") {
  const Directory folder;
  const fs::path socket = folder.path() / "agent.sock";
  const FakeAgent other(socket, R"({"protocol": 99, "release": "9.9.9", "something": "new"})");
  for (const char* command : {"plan", "run"}) {
    const Ran ran = run({"sh", "-c", R"(cd "$1" && exec "$2" "$3" --agents "$4" "$5")", "sh", folder.path(), arashi, command,
                         "unix:" + socket.string(), example("held.yaml")});
    INFO(ran.output);
    CHECK(ran.exit_code == 3);
    CHECK(ran.output.find("protocol 99") != std::string::npos);
    CHECK(ran.output.find("update the runner") != std::string::npos);
  }
}

TEST_CASE("with a full disk under the journal nothing is injected") {
  const SmallDisk disk;
  const Directory folder;
  const std::string socket = folder.path() / "agent.sock", marker = folder.path() / "marker";
  auto daemon = spawn(
      {.argv = {agent, "--run-dir", disk.path(), "--state-dir", disk.path() / "state", "--socket", socket}, .errors_into_output = true});
  REQUIRE(eventually([&] { return fs::exists(socket); }, std::chrono::seconds(20)));
  disk.fill();
  // Longer than what is left of the journal's last page.
  const std::string undo = "[rm, -f, " + marker + ", " + marker + std::string(5000, 'x') + "]";
  write(folder.path() / "full.yaml",
        experiment("{node: {}}", "fault: command.run, with: {command: [touch, " + marker + "], undo: " + undo + "}"));
  Watch<bool> done([&] { return fs::exists(marker); }, std::chrono::milliseconds(2));
  Run run({"--agents", "unix:" + socket, folder.path() / "full.yaml"});
  CHECK(run.wait() != 0);
  CHECK(run.output.find("o space left") != std::string::npos);
  for (const bool there : done.all()) CHECK(!there);
  daemon.signal(SIGTERM);
  CHECK(daemon.wait(boot_now() + std::chrono::seconds(5)));
}

TEST_CASE("on a full disk a local agent does not start, and the run says why") {
  const SmallDisk disk;
  const Directory folder;
  write(folder.path() / "it.yaml", experiment("{node: {}}", "fault: command.run, with: {command: [touch, x], undo: [rm, x]}"));
  disk.fill();
  const Ran ran = run({arashi, "run", folder.path() / "it.yaml", "--run-dir", disk.path() / "run", "--out", folder.path() / "out"});
  INFO(ran.output);
  CHECK(ran.exit_code == 3);
  CHECK(ran.output.find("No space left on device") != std::string::npos);
}

TEST_CASE("no environment makes it terminate: what is wrong is said, with the exit code for it") {
  const Directory folder;
  auto victim = sleeper();
  const fs::path file = folder.path() / "it.yaml";
  write(file, experiment("{process: {pid: " + std::to_string(victim.pid()) + "}}", "fault: process.pause", "true"));
  const Ran plan = run({"env", "TMPDIR=/nonexistent", arashi, "plan", file});
  INFO(plan.output);
  CHECK(plan.exit_code == 3);
  CHECK(plan.output.find("/nonexistent/arashi-plan-") != std::string::npos);
  const fs::path gone = folder.path() / "gone";
  fs::create_directory(gone);
  const Ran nowhere =
      run({"sh", "-c", R"(cd "$1" && rmdir "$1" && exec "$2" run --run-dir "$3" "$4")", "sh", gone, arashi, folder.path() / "run", file});
  INFO(nowhere.output);
  CHECK(nowhere.exit_code == 3);
  CHECK(nowhere.output.find("arashi run: ") != std::string::npos);
  for (const char* command : {"run --quiet", "plan", "check", "faults", "status", "backtest"}) {
    const Ran ran = run(
        {"sh", "-c",
         std::string("TMPDIR=/nonexistent HOME= PATH= LC_ALL=xx exec ") + arashi + " " + command + " " + file.string() + " </dev/null"});
    INFO(command, ": ", ran.output);
    CHECK(ran.exit_code < 128);
  }
}

TEST_CASE("what nobody foresaw ends with a message and does not terminate: here that memory is short") {
  const Directory folder;
  const std::string small = experiment("{node: {}}", "fault: command.run, with: {command: [touch, x], undo: [rm, x]}");
  write(folder.path() / "small.yaml", small);
  std::string labels;
  for (int i = 0; i < 20'000; ++i) labels += "    label-" + std::to_string(i) + ": 'x'\n";
  write(folder.path() / "large.yaml", "metadata:\n  name: large\n  labels:\n" + labels + small);
  const auto check = [&](const char* file, int megabytes) {
    return run(
        {"sh", "-c", "ulimit -v " + std::to_string(megabytes << 10) + "; exec " + arashi + " check " + (folder.path() / file).string()});
  };
  int enough = 16;  // for a small spec: below that the loader fails, or what initialises itself before main()
  while (enough < 512 && check("small.yaml", enough).exit_code != 0) ++enough;
  int said = 0;
  for (int megabytes = enough; megabytes < enough + 24; ++megabytes) {
    const Ran ran = check("large.yaml", megabytes);
    INFO(megabytes, " MB: ", ran.output);
    CHECK((ran.exit_code == 2 || ran.exit_code == 3));  // it has two `metadata`
    said += ran.output.find("arashi: unexpected failure: ") != std::string::npos ? 1 : 0;
  }
  CHECK(said > 0);
}

TEST_CASE("without root it says so, and what to do") {
  const Directory folder;
  const std::string copy = copy_for_everybody(folder.path(), arashi);
  copy_for_everybody(folder.path(), agent);
  write(folder.path() / "mine.yaml", experiment("{netns: {name: no-such-namespace}}", "fault: network.impair, with: {delay: 1ms}"));
  const Ran ran = run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, "run", folder.path() / "mine.yaml"});
  INFO(ran.output);
  CHECK((ran.exit_code == 2 || ran.exit_code == 3));
  CHECK(ran.output.find("root") != std::string::npos);
}

TEST_CASE("without a capability the plan names it and nothing is injected") {
  const Pair network;
  const Directory folder;
  write(folder.path() / "net.yaml",
        experiment("{netns: {name: " + network.left.name() + "}}", "fault: network.impair, with: {delay: 20ms}"));
  const Ran ran = run({"setpriv", "--bounding-set=-net_admin,-bpf,-sys_admin", "--inh-caps=-net_admin,-bpf,-sys_admin", arashi, "plan",
                       folder.path() / "net.yaml"},
                      std::chrono::seconds(20));
  INFO(ran.output);
  CHECK(ran.exit_code == 3);
  CHECK(ran.output.find("CAP_") != std::string::npos);
}

}  // namespace arashi::testing
