#include "core/tensor/memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
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
  EXPECT_EQ(mincore(memory, bytes, pages.data()), 0) << std::strerror(errno);
  std::size_t count = 0;
  for (const unsigned char page : pages) count += page & 1;
  return count;
}

// However large pages are, a process has no more than it asked for: plans count on it. A program of
// its own, whose heap has nothing that other tests gave back; the page behind a block may hold what
// the heap notes there.
TEST(HostMemory, TakesNoMoreThanWasAskedFor) {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  const std::string enabled((std::istreambuf_iterator<char>(file)), {});
  if (enabled.find("[always]") != std::string::npos) GTEST_SKIP() << "all memory is in huge pages";
  std::vector<Block> blocks;  // none is given back before the next is taken
  for (const std::size_t pages : {512, 513, 1025}) {
    const Block& block = blocks.emplace_back(host_memory(), pages * kPage);
    std::memset(block.data(), 1, block.bytes());
    const std::size_t whole = (block.bytes() + kHugePage - 1) / kHugePage * kHugePage;
    EXPECT_LE(resident_pages(block.data(), whole), pages + 1);
  }
}

}  // namespace
}  // namespace edt
