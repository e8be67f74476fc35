#include "agent/pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

using namespace arashi;

TEST_CASE("work that blocks does not hold up other work while threads may still be made") {
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::promise<void> done;
  {
    Pool pool(2);
    pool.run([released] { released.wait(); });
    pool.run([&done] { done.set_value(); });
    done.get_future().wait();  // would wait for ever if the second had queued behind the first
    release.set_value();
  }
}

TEST_CASE("no more threads than allowed, and everything is run before the pool ends") {
  std::atomic<int> ran{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  {
    Pool pool(3);
    for (int i = 0; i < 100; ++i)
      pool.run([&] {
        const std::scoped_lock lock(mutex);
        threads.insert(std::this_thread::get_id());
        ++ran;
      });
  }
  CHECK(ran == 100);
  CHECK(threads.size() <= 3);
}
