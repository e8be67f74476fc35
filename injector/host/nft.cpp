// libnftables is loaded by those who make a table (workers) and not linked: the agent's own processes stay without its megabyte.
#include "injector/host/nft.hpp"

#include "injector/core/json.hpp"
#include "injector/host/netlink.hpp"
#include "injector/host/netns.hpp"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>

#include <algorithm>
#include <mutex>
#include <optional>

namespace arashi {

namespace {

constexpr const char* library_name = "libnftables.so.1";
constexpr std::uint32_t owned = 2;  // NFT_TABLE_F_OWNER: not in older headers

struct Library {
  void* handle = nullptr;
  decltype(&nft_ctx_new) make = nullptr;
  decltype(&nft_ctx_free) free = nullptr;
  decltype(&nft_ctx_buffer_output) buffer_output = nullptr;
  decltype(&nft_ctx_buffer_error) buffer_error = nullptr;
  decltype(&nft_ctx_get_output_buffer) output = nullptr;
  decltype(&nft_ctx_get_error_buffer) error = nullptr;
  decltype(&nft_ctx_output_set_flags) set_flags = nullptr;
  decltype(&nft_run_cmd_from_buffer) run = nullptr;
};

template <class Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(handle, name));
  return function != nullptr;
}

Result<Library> open_library() {
  Library library;
  library.handle = ::dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
  if (library.handle == nullptr) return fail(Blame::unsupported, library_name, " cannot be loaded (", ::dlerror(), ")");
  const bool whole = find(library.handle, "nft_ctx_new", library.make) && find(library.handle, "nft_ctx_free", library.free) &&
                     find(library.handle, "nft_ctx_buffer_output", library.buffer_output) &&
                     find(library.handle, "nft_ctx_buffer_error", library.buffer_error) &&
                     find(library.handle, "nft_ctx_get_output_buffer", library.output) &&
                     find(library.handle, "nft_ctx_get_error_buffer", library.error) &&
                     find(library.handle, "nft_ctx_output_set_flags", library.set_flags) &&
                     find(library.handle, "nft_run_cmd_from_buffer", library.run);
  if (whole) return library;
  ::dlclose(library.handle);
  return fail(Blame::unsupported, library_name, " is too old");
}

std::string first_line(const char* text) {
  const std::string_view all = text == nullptr ? "" : text;
  return std::string(all.substr(0, all.find('\n')));
}

netlink::Message frame(std::uint16_t type) {
  nfgenmsg header{};
  header.res_id = htons(NFNL_SUBSYS_NFTABLES);
  return netlink::Message(type, 0).header(header);
}

Result<void> try_owned_table() {
  auto socket = TRY(netlink::Socket::open(netlink::Socket::Family::netfilter));
  nfgenmsg header{};
  header.nfgen_family = NFPROTO_INET;
  netlink::Message table(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_NEWTABLE), NLM_F_CREATE);
  table.header(header).put_text(NFTA_TABLE_NAME, "arashi_probe").put_u32(NFTA_TABLE_FLAGS, htonl(owned));
  const auto ack = TRY(socket.change_all({frame(NFNL_MSG_BATCH_BEGIN), table, frame(NFNL_MSG_BATCH_END)}));
  if (ack) return {};
  return fail(Blame::unsupported, "this kernel has no nf_tables with owned tables (", std::strerror(ack.code), ")");
}

}  // namespace

struct NftTable::Held {
  Library library;
  nft_ctx* context = nullptr;
  std::string name;
  ~Held() {
    if (context != nullptr) library.free(context);
  }
  Result<std::string> run(const std::string& commands) const {
    if (library.run(context, commands.c_str()) != 0) return fail(Blame::system, "nft: ", first_line(library.error(context)));
    const char* said = library.output(context);
    return std::string(said == nullptr ? "" : said);
  }
};

NftTable::NftTable(std::unique_ptr<Held> held) : held_(std::move(held)) {}
NftTable::NftTable(NftTable&&) noexcept = default;
NftTable& NftTable::operator=(NftTable&&) noexcept = default;
NftTable::~NftTable() = default;

Result<void> probe_nft() {
  static std::mutex mutex;
  static std::optional<Result<void>> known;  // neither a kernel nor a library changes often, and each look costs milliseconds
  const std::lock_guard lock(mutex);
  if (known && *known) return {};
  const auto library = open_library();
  if (library) ::dlclose(library->handle);
  known = library ? in_new_netns(try_owned_table) : pass(library.error());
  return *known;
}

Result<NftTable> NftTable::make(std::string_view id, std::string_view body) {
  auto held = std::make_unique<Held>();
  held->library = TRY(open_library());
  held->context = held->library.make(NFT_CTX_DEFAULT);
  if (held->context == nullptr) return fail(Blame::system, "libnftables gives no context");
  held->library.buffer_output(held->context);
  held->library.buffer_error(held->context);
  held->name = "arashi_" + std::string(id);
  TRY(held->run("table inet " + held->name + " {\n  flags owner;\n" + std::string(body) + "}\n"));
  held->library.set_flags(held->context, NFT_CTX_OUTPUT_JSON);
  return NftTable(std::move(held));
}

Result<std::map<std::string, std::uint64_t>> NftTable::counters() const {
  const auto text = held_->run("list counters table inet " + held_->name);
  if (!text) return fail(Blame::missing, "table ", held_->name, " is gone: ", text.error().message);
  const auto all = TRY(parse_json(*text));
  std::map<std::string, std::uint64_t> packets;
  for (const auto& entry : all.value("nftables", Json::array()))
    if (const auto counter = entry.find("counter"); counter != entry.end())
      packets[counter->value("name", std::string())] = counter->value("packets", std::uint64_t{0});
  return packets;
}

Result<void> NftTable::empty(std::string_view chain) const {
  TRY(held_->run("flush chain inet " + held_->name + " " + std::string(chain)));
  return {};
}

}  // namespace arashi
