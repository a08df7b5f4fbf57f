// SPDX-License-Identifier: MIT
// outside.cpp: the same for C++: the header compiles, and what `new` hands out comes from the process's malloc.
#include <dam/dam.h>

#include <dlfcn.h>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

int main() {
    std::vector<std::string> words;
    for (int i = 0; i < 1000; i++)
        words.push_back(std::string(static_cast<std::size_t>(i), 'x'));
    std::unique_ptr<void, decltype(&dam_free)> block(dam_malloc(words.back().size()), &dam_free);
    if (block == nullptr || words.back().size() != 999)
        return 1;
    std::memcpy(block.get(), words.back().data(), words.back().size());

    Dl_info info;
    if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) == 0)
        return 1;
    const std::string file(info.dli_fname);
    std::printf("dam %s, malloc of %s\n", dam_version(), file.substr(file.rfind('/') + 1).c_str());
    return 0;
}
