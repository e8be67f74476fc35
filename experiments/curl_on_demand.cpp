// libcurl and the forty libraries behind it cost a process 6 ms of its start, and most commands send no request. So the program is not
// linked with it: these are its functions, each of which loads it when one is called for the first time.
//
// A function of libcurl that is used for the first time is missing at the link: give it its line here.
#include <curl/curl.h>
#include <dlfcn.h>

#include <cstdarg>

namespace {

constexpr const char* library = "libcurl.so.4";

void* find(const char* name) {
  static void* const handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  return handle == nullptr ? nullptr : ::dlsym(handle, name);
}

template <auto ours>
auto real(const char* name) {
  static const auto found = reinterpret_cast<decltype(ours)>(find(name));
  return found;
}

// What a function of libcurl returns when there is none.
template <class Value>
Value none() {
  return Value{};
}
template <>
CURLcode none<CURLcode>() {
  return CURLE_FAILED_INIT;
}

template <>
CURLUcode none<CURLUcode>() {
  return CURLUE_OUT_OF_MEMORY;
}
template <>
CURLMcode none<CURLMcode>() {
  return CURLM_INTERNAL_ERROR;
}

template <class Value, class... Asked>
Value call(Value (*theirs)(Asked...), Asked... asked) {
  return theirs == nullptr ? none<Value>() : theirs(asked...);
}

// The third argument of the setopt and getinfo functions is a long, a pointer or a curl_off_t: all of one size and passed alike.
static_assert(sizeof(void*) == sizeof(long) && sizeof(void*) == sizeof(curl_off_t));

template <class Value, class Handle, class Option>
Value call_with_any(Value (*theirs)(Handle, Option, ...), Handle handle, Option option, void* value) {
  return theirs == nullptr ? none<Value>() : theirs(handle, option, value);
}

}  // namespace

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

extern "C" {

CURLcode curl_global_init(long flags) { return call(real<&curl_global_init>("curl_global_init"), flags); }
CURL* curl_easy_init() { return call(real<&curl_easy_init>("curl_easy_init")); }
void curl_easy_cleanup(CURL* easy) { call(real<&curl_easy_cleanup>("curl_easy_cleanup"), easy); }
void curl_easy_reset(CURL* easy) { call(real<&curl_easy_reset>("curl_easy_reset"), easy); }
CURLcode curl_easy_perform(CURL* easy) { return call(real<&curl_easy_perform>("curl_easy_perform"), easy); }
const char* curl_easy_strerror(CURLcode code) {
  const auto theirs = real<&curl_easy_strerror>("curl_easy_strerror");
  return theirs == nullptr ? "libcurl.so.4 could not be loaded: install the package libcurl4" : theirs(code);
}
CURLcode curl_easy_setopt(CURL* easy, CURLoption option, ...) {
  std::va_list rest;
  va_start(rest, option);
  void* value = va_arg(rest, void*);
  va_end(rest);
  return call_with_any(real<&curl_easy_setopt>("curl_easy_setopt"), easy, option, value);
}
CURLcode curl_easy_getinfo(CURL* easy, CURLINFO info, ...) {
  std::va_list rest;
  va_start(rest, info);
  void* value = va_arg(rest, void*);
  va_end(rest);
  return call_with_any(real<&curl_easy_getinfo>("curl_easy_getinfo"), easy, info, value);
}

CURLM* curl_multi_init() { return call(real<&curl_multi_init>("curl_multi_init")); }
CURLMcode curl_multi_cleanup(CURLM* multi) { return call(real<&curl_multi_cleanup>("curl_multi_cleanup"), multi); }
CURLMcode curl_multi_setopt(CURLM* multi, CURLMoption option, ...) {
  std::va_list rest;
  va_start(rest, option);
  void* value = va_arg(rest, void*);
  va_end(rest);
  return call_with_any(real<&curl_multi_setopt>("curl_multi_setopt"), multi, option, value);
}
CURLMcode curl_multi_add_handle(CURLM* multi, CURL* easy) {
  return call(real<&curl_multi_add_handle>("curl_multi_add_handle"), multi, easy);
}
CURLMcode curl_multi_remove_handle(CURLM* multi, CURL* easy) {
  return call(real<&curl_multi_remove_handle>("curl_multi_remove_handle"), multi, easy);
}
CURLMcode curl_multi_perform(CURLM* multi, int* running) { return call(real<&curl_multi_perform>("curl_multi_perform"), multi, running); }
CURLMcode curl_multi_poll(CURLM* multi, curl_waitfd* more, unsigned count, int timeout, int* ready) {
  return call(real<&curl_multi_poll>("curl_multi_poll"), multi, more, count, timeout, ready);
}
CURLMcode curl_multi_wakeup(CURLM* multi) { return call(real<&curl_multi_wakeup>("curl_multi_wakeup"), multi); }
CURLMcode curl_multi_socket_action(CURLM* multi, curl_socket_t socket, int events, int* running) {
  return call(real<&curl_multi_socket_action>("curl_multi_socket_action"), multi, socket, events, running);
}
CURLMsg* curl_multi_info_read(CURLM* multi, int* left) { return call(real<&curl_multi_info_read>("curl_multi_info_read"), multi, left); }

curl_slist* curl_slist_append(curl_slist* list, const char* text) {
  return call(real<&curl_slist_append>("curl_slist_append"), list, text);
}
void curl_slist_free_all(curl_slist* list) { call(real<&curl_slist_free_all>("curl_slist_free_all"), list); }
CURLU* curl_url() { return call(real<&curl_url>("curl_url")); }
void curl_url_cleanup(CURLU* url) { call(real<&curl_url_cleanup>("curl_url_cleanup"), url); }
CURLUcode curl_url_set(CURLU* url, CURLUPart what, const char* part, unsigned flags) {
  return call(real<&curl_url_set>("curl_url_set"), url, what, part, flags);
}
const char* curl_url_strerror(CURLUcode code) {
  const auto theirs = real<&curl_url_strerror>("curl_url_strerror");
  return theirs == nullptr ? curl_easy_strerror(CURLE_FAILED_INIT) : theirs(code);
}
time_t curl_getdate(const char* text, const time_t* unused) { return call(real<&curl_getdate>("curl_getdate"), text, unused); }
curl_version_info_data* curl_version_info(CURLversion version) { return call(real<&curl_version_info>("curl_version_info"), version); }

}  // extern "C"
