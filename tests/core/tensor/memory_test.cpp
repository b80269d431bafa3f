#include "core/tensor/memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace edt {
namespace {

constexpr std::size_t kPage = 4096, kHugePage = std::size_t{2} << 20;

std::size_t resident_pages(void* memory, std::size_t bytes) {
  std::vector<unsigned char> pages(bytes / kPage);
  if (mincore(memory, bytes, pages.data()) != 0) std::exit(2);
  std::size_t count = 0;
  for (const unsigned char page : pages) count += page & 1;
  return count;
}

// Of a block of so many pages that is written to; the page behind it may hold what the heap notes
// there.
bool takes_only(std::size_t pages) {
  const Block block(host_memory(), pages * kPage);
  std::memset(block.data(), 1, block.bytes());
  const std::size_t whole = (block.bytes() + kHugePage - 1) / kHugePage * kHugePage;
  return resident_pages(block.data(), whole) <= pages + 1;
}

// However large pages are, a process has no more than it asked for: plans count on it. In a process
// of its own, whose heap has nothing that others gave back.
TEST(HostMemory, TakesNoMoreThanWasAskedFor) {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  const std::string enabled((std::istreambuf_iterator<char>(file)), {});
  if (enabled.find("[always]") != std::string::npos) GTEST_SKIP() << "all memory is in huge pages";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const std::size_t pages : {512, 513, 1025}) {
    EXPECT_EXIT(std::exit(takes_only(pages) ? 0 : 1), testing::ExitedWithCode(0), "") << pages;
  }
}

}  // namespace
}  // namespace edt
