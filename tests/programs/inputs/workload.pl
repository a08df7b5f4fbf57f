# SPDX-License-Identifier: MIT
# workload.pl: Perl at what it is used for, on the text of its own library: one line of result for each task, the same
# in every run. PERL_HASH_SEED=0 is expected, but the result does not depend on the order of hash keys either.
use strict;
use warnings;

use Config;
use Cwd qw(abs_path);
use Data::Dumper;
use Encode qw(decode encode);
use File::Find;
use JSON::PP;
use List::Util qw(max sum);
use Storable qw(dclone freeze thaw);
use Text::Wrap;
use threads;
use Thread::Queue;

$Data::Dumper::Sortkeys = 1;
$Text::Wrap::columns = 60;

# A checksum that spreads: the text need not be printed to be compared.
sub checksum {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    return sprintf '%08x/%d', unpack('%32C*', $text) ^ (unpack('%32N*', $text) << 1 & 0xffffffff), length $text;
}

sub report {
    my ($task, @values) = @_;
    print "$task: @values\n";
}

# The modules that come with perl itself, without the few very large ones (tables of Unicode).
my %files;
find(
    {
        no_chdir => 1,
        wanted   => sub { $files{$_} = -s $_ if /\.(pm|pl)$/ && -f $_ },
    },
    map { abs_path($_) } $Config{privlibexp}, $Config{archlibexp}
);
my @paths = (sort { $files{$b} <=> $files{$a} || $a cmp $b } keys %files)[ 60 .. 119 ];
die "too few modules in $Config{privlibexp}\n" unless defined $paths[-1];
my %text;
for my $path (@paths) {
    open my $file, '<:raw', $path or die "$path: $!\n";
    local $/;
    $text{$path} = decode('UTF-8', scalar <$file>);
}
report 'read', scalar(@paths), checksum(join '', @text{@paths});

# Words, with the places they stand in: a hash of arrays of arrays.
my %places;
for my $path (@paths) {
    my $line = 0;
    for (split /\n/, $text{$path}) {
        $line++;
        push @{ $places{ lc $1 } }, [ $path, $line ] while /\b([A-Za-z_]{3,})\b/g;
    }
}
my @common = (sort { @{ $places{$b} } <=> @{ $places{$a} } || $a cmp $b } keys %places)[ 0 .. 9 ];
report 'words', scalar(keys %places), map { "$_=" . @{ $places{$_} } } @common;

# Subroutines and their sizes by one large regular expression, with recursion into the braces.
my $braces = qr/(\{(?:[^{}'"#\\]++|\\.|'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|#[^\n]*+|(?1))*+\})/s;
my %subs;
for my $path (@paths[ 0 .. 29 ]) {
    while ($text{$path} =~ /^sub\s+(\w+)\s*$braces/gm) {
        $subs{$1} = length $2;
    }
}
report 'subs', scalar(keys %subs), max(values %subs), sum(values %subs);

# Substitution that grows and shrinks strings.
my $all = join "\n", map { $text{$_} } @paths[ 0 .. 29 ];
(my $grown = $all) =~ s/(\w+)/<$1:@{[ length $1 ]}>/g;
(my $back = $grown) =~ s/<(\w+):\d+>/$1/g;
report 'substitute', checksum($grown), $back eq $all ? 'and back' : 'but not back';

# Formatting: wrap, pack, sprintf, reverse, sort by several keys.
report 'wrap', checksum(wrap('', '    ', substr $all, 0, 300_000));
my @records = map { { name => $_, count => scalar @{ $places{$_} }, first => $places{$_}[0][1] } } keys %places;
my @sorted = sort { $a->{first} <=> $b->{first} || $b->{count} <=> $a->{count} || $a->{name} cmp $b->{name} } @records;
report 'sort', checksum(join ' ', map { sprintf '%-20.12s%6d', $_->{name}, $_->{count} } @sorted);
report 'pack', checksum(join '', map { pack 'n/a* N w', $_->{name}, $_->{count}, $_->{first} } @sorted);

# Deep structures: JSON there and back, Storable, Dumper and eval, clones.
my $json = JSON::PP->new->canonical->utf8;
my %some = map { $_ => [ @{ $places{$_} }[ 0 .. 599 ] ] } @common;
my $encoded = $json->encode(\%some);
report 'json', checksum($encoded), checksum($json->encode($json->decode($encoded)));
my $clone = dclone(\%places);
delete $clone->{$_} for grep { @{ $clone->{$_} } < 5 } keys %$clone;
my $thawed = thaw(freeze([ map { $clone->{$_} } @common ]));
report 'clone', scalar(keys %$clone), checksum(join ' ', map { @$_ } map { @$_ } @$thawed);
my $dumped = Dumper([ @sorted[ 0 .. 1999 ] ]);
my $evaluated = do { no strict; eval $dumped } or die $@;
report 'dumper', checksum($dumped), scalar @$evaluated;

# Strings of other encodings, and wide characters.
my $wide = join '', map { chr(0x400 + $_ % 256) x ($_ % 5) . chr(0x1f300 + $_ % 90) } 1 .. 60_000;
report 'encode', map { checksum(encode($_, $wide)) } 'UTF-8', 'UTF-16LE', 'UTF-32BE';

# Threads: each is a clone of the whole interpreter, works on lines from a queue, and hands back a structure.
my ($jobs, $results) = (Thread::Queue->new, Thread::Queue->new);
my @threads = map {
    threads->create(sub {
        my $done = 0;
        while (defined(my $path = $jobs->dequeue)) {
            my %count;
            $count{$_}++ for $text{$path} =~ /\w+/g;
            my $all_counts = join ' ', map { "$_$count{$_}" } sort keys %count;
            $results->enqueue([ $path, scalar keys %count, checksum($all_counts) ]);
            $done++;
        }
        return $done;
    });
} 1 .. 3;
$jobs->enqueue(@paths);
$jobs->end;
my $done = sum(map { $_->join } @threads);
my @answers = sort { $a->[0] cmp $b->[0] } map { $results->dequeue_nb } 1 .. $done;
report 'threads', $done, checksum($json->encode(\@answers));

# Children: each frees what its parent allocated, and writes its share of the answer.
my $total = '';
for my $child (0 .. 3) {
    my $pid = open(my $pipe, '-|') // die "fork: $!\n";
    if (!$pid) {
        my @mine = grep { length($_) % 4 == $child } keys %places;
        my $sum = sum(map { scalar @{ $places{$_} } } @mine);
        undef %places;
        undef %text;
        print $sum;
        exit 0;
    }
    local $/;
    $total .= ' ' . <$pipe>;
    close $pipe or die "a child ended with status $?\n";
}
report 'children', $total;
