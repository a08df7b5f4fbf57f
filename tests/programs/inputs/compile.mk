# SPDX-License-Identifier: MIT
# compile.mk: what a compiler is given to do. Run in an empty directory, with the sources of DAM at ../sources.
#
#   make c COMPILER=gcc|clang         every C file: an object with debug information
#   make c++ COMPILER=g++|clang++     one program heavy in templates: assembly, and the program
#   make lto COMPILER=gcc             every C file again, optimized as a whole at link time
#   make analysis COMPILER=clang      what its static analyzer says of some C files (gcc's picks names by chance)
#
# Every output is the same wherever it is built: no path of the build directory and no random name goes into it.

sources := ../sources
reproducible := -ffile-prefix-map=$(CURDIR)=.
c_files := $(patsubst $(sources)/%,%,$(sort $(wildcard $(sources)/src/*/*.c)))
c_flags := -std=gnu11 -fPIC -I$(sources)/include -I$(sources)/src $(reproducible)
cxx_flags := -std=c++17 -pthread $(reproducible)

ifeq ($(c_files),)
$(error no C files in $(sources)/src)
endif

.PHONY: c c++ lto analysis
.DELETE_ON_ERROR:
c: $(c_files:%.c=out/%.o)
c++: out/containers.s out/containers
lto: out/whole.o
analysis: $(patsubst %.c,out/%.diagnostics,$(filter src/front/% src/region/%,$(c_files)))

out/%.o: $(sources)/%.c
	mkdir -p $(@D)
	$(COMPILER) $(c_flags) -O2 -g -c -o $@ $<

out/%.diagnostics: $(sources)/%.c
	mkdir -p $(@D)
	echo "$<:" >$@
	$(COMPILER) $(c_flags) --analyze -Xclang -analyzer-output=text -o /dev/null $< 2>>$@

out/whole/%.o: $(sources)/%.c
	mkdir -p $(@D)
	$(COMPILER) $(c_flags) -O2 -flto -frandom-seed=$* -c -o $@ $<

out/whole.o: $(c_files:%.c=out/whole/%.o)
	$(COMPILER) -O2 -flto=2 -frandom-seed=whole -r -flinker-output=nolto-rel -nostdlib -o $@ $^

out/containers.s: $(sources)/containers.cpp
	mkdir -p $(@D)
	$(COMPILER) $(cxx_flags) -O2 -S -o $@ $<

out/containers: out/containers.s
	$(COMPILER) -pthread -o $@ $<
