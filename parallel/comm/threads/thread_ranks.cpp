#include "parallel/comm/threads/thread_ranks.h"

#include <exception>
#include <thread>

#include "parallel/comm/threads/thread_transport.h"

namespace edt {

void run_ranks(int count, const std::function<void(Communicator&)>& body,
               const TransportOptions& options) {
  const auto job = std::make_shared<ThreadJob>();
  const auto world = std::make_shared<ThreadGroup>(job, count);
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < count; ++rank) {
      threads.emplace_back([&, rank] {
        try {
          const auto communicator =
              make_transport_communicator(make_thread_transport(world, rank), options);
          body(*communicator);
        } catch (const std::exception& error) {
          job->fail(fmt::format("rank {} failed: {}", rank, error.what()),
                    std::current_exception());
        } catch (...) {
          job->fail(fmt::format("rank {} failed", rank), std::current_exception());
        }
      });
    }
  }
  if (job->exception()) std::rethrow_exception(job->exception());
}

}  // namespace edt
