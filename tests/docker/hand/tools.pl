# The far and the near end of a connection, for containers that hold little more than Perl. It knows nothing of the hand.
#
#   serve                              answers: UDP 7000 echo, TCP 7001 echo, 7002 sends what it is asked for, 7003 counts
#   round_trips HOST COUNT EVERY_MS    sends datagrams; prints "number milliseconds" for each that comes back, as they come
#   watch HOST COUNT EVERY_MS          the same, and then tells of each: when it was sent, in seconds since 1970, and its milliseconds,
#                                      or "lost"
#   tcp_round_trips HOST COUNT         one connection; prints "number milliseconds" for each message
#   download HOST BYTES                prints the seconds from the first byte to the last, and how many were wrong
#   upload HOST BYTES                  prints the seconds until the other end had counted all
#   send HOST COUNT                    sends datagrams to UDP 7004, where nobody answers
#   send_when_told HOST COUNT          sends them for each line of its input, and says when it has
#   receive_until_told                 counts the datagrams that come to UDP 7004, and prints for each line of its input how many
#                                      came since the one before, once no more come
#   connect HOST PORT MS               prints connected, refused, unreachable or silent, and the milliseconds
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Errno qw(ECONNREFUSED EHOSTUNREACH ENETUNREACH EINPROGRESS);
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_ERROR SO_RCVBUF SO_SNDBUF TCP_NODELAY);
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
$| = 1;
my $command = shift @ARGV;
my $block = join '', map { chr($_ % 251) } 0 .. 251 * 256 - 1;

sub udp {
    my $socket = IO::Socket::INET->new(Proto => 'udp', @_) or die "udp: $!";
    # On a busy machine this process may not run for a while, and what comes meanwhile must not be lost for that.
    $socket->setsockopt(SOL_SOCKET, $_, 4 << 20) for SO_RCVBUF, SO_SNDBUF;
    return $socket;
}
sub listening { IO::Socket::INET->new(Listen => 64, LocalPort => $_[0], ReuseAddr => 1) or die "listen $_[0]: $!" }
sub connected {
    my ($host, $port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 10) or die "connect $host:$port: $!";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    return $socket;
}

sub send_bytes {
    my ($socket, $bytes) = @_;
    my $sent = 0;
    while ($sent < $bytes) {
        my $at = $sent % length $block;
        my $piece = length($block) - $at;
        $piece = $bytes - $sent if $piece > $bytes - $sent;
        my $wrote = syswrite $socket, $block, $piece, $at;
        return $sent unless $wrote;
        $sent += $wrote;
    }
    return $sent;
}

sub with_each {
    my ($listener, $work) = @_;
    return if fork;
    while (1) {
        my $client = $listener->accept or next;
        next if fork;
        setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
        $work->($client);
        exit 0;
    }
}

if ($command eq 'serve') {
    $SIG{CHLD} = 'IGNORE';
    my $echo = udp(LocalPort => 7000);
    with_each(listening(7001), sub { my $data; syswrite $_[0], $data while sysread $_[0], $data, 65536 });
    with_each(listening(7002), sub { my $wanted = readline $_[0]; send_bytes($_[0], int $wanted) });
    with_each(listening(7003), sub {
        my ($wanted, $data, $count) = (int readline $_[0], '', 0);
        while ($count < $wanted) { my $got = read $_[0], $data, ($wanted - $count > 65536 ? 65536 : $wanted - $count) or last; $count += $got }
        syswrite $_[0], "$count\n";
    });
    print "ready\n";
    while (1) { my $data; my $from = $echo->recv($data, 65536); $echo->send($data, 0, $from) if defined $from }
}
elsif ($command eq 'round_trips' || $command eq 'watch') {
    my ($host, $count, $every_ms) = @ARGV;
    print "ready\n" if $command eq 'watch';
    my $socket = udp(PeerAddr => $host, PeerPort => 7000);
    my $select = IO::Select->new($socket);
    my ($begun, $sent, %sent, %took) = (time, 0);
    my $end;
    while (!defined $end || time < $end) {
        my $due = $begun + $sent * $every_ms / 1000;
        if ($sent < $count && time >= $due) {
            $sent{$sent} = time;
            # A cut on this side's own way out would be told by an error, and is a datagram that never comes back.
            $socket->send(pack('N', $sent) . 'x' x 200);
            $end = time + 1.5 if ++$sent == $count;
        }
        my $wait = $sent < $count ? $begun + $sent * $every_ms / 1000 - time : 0.05;
        next unless $select->can_read($wait > 0 ? $wait : 0);
        my $data;
        next unless defined $socket->recv($data, 1000) && length $data >= 4;
        my $number = unpack 'N', $data;
        $end = time + 1.5 if defined $end;
        $took{$number} = sprintf '%.3f', 1000 * (time - $sent{$number});
        print "$number $took{$number}\n" if $command eq 'round_trips';
    }
    exit 0 if $command eq 'round_trips';
    printf "%.6f %s\n", $sent{$_}, $took{$_} // 'lost' for 0 .. $count - 1;
}
elsif ($command eq 'tcp_round_trips') {
    my ($host, $count) = @ARGV;
    my $socket = connected($host, 7001);
    for my $number (0 .. $count - 1) {
        my $begun = time;
        syswrite $socket, 'x' x 100;
        my ($got, $data) = (0);
        while ($got < 100) { my $read = sysread $socket, $data, 100 - $got or die "the connection ended"; $got += $read }
        printf "%d %.3f\n", $number, 1000 * (time - $begun);
    }
}
elsif ($command eq 'download') {
    my ($host, $bytes) = @ARGV;
    my $socket = connected($host, 7002);
    print $socket "$bytes\n";
    $socket->flush;
    my ($count, $wrong, $begun, $data) = (0, 0);
    while (my $got = sysread $socket, $data, 65536) {
        $begun //= time;
        my $at = $count % 251;
        my $expected = substr $block x 2, $at, $got;
        $wrong += ($expected ^ $data) =~ tr/\0//c;
        $count += $got;
    }
    die "$count of $bytes bytes came" unless $count == $bytes;
    printf "%.3f %d\n", time - $begun, $wrong;
}
elsif ($command eq 'upload') {
    my ($host, $bytes) = @ARGV;
    my $socket = connected($host, 7003);
    my $begun = time;
    syswrite $socket, "$bytes\n";
    send_bytes($socket, $bytes);
    my $counted = readline $socket;
    die 'not all was counted' unless defined $counted && $counted == $bytes;
    printf "%.3f 0\n", time - $begun;
}
elsif ($command eq 'send' || $command eq 'send_when_told') {
    my ($host, $count) = @ARGV;
    my $socket = udp(PeerAddr => $host, PeerPort => 7004);
    if ($command eq 'send_when_told') {
        print "ready\n";
        while (defined readline STDIN) {
            for (1 .. $count) { $socket->send('x' x 100); sleep 0.002 }
            print "sent\n";
        }
        exit 0;
    }
    for (1 .. $count) { $socket->send('x' x 100); sleep 0.002 }
}
elsif ($command eq 'receive_until_told') {
    my $socket = udp(LocalPort => 7004);
    my ($select, $more) = (IO::Select->new($socket, \*STDIN), IO::Select->new($socket));
    print "ready\n";
    my ($count, $data) = (0);
    while (1) {
        for my $ready ($select->can_read) {
            if ($ready == $socket) { $count++ if defined $socket->recv($data, 1000); next }
            sysread STDIN, $data, 100 or exit 0;
            # On a busy machine what came before the line may not have been looked at yet.
            while ($more->can_read(0.3)) { $count++ if defined $socket->recv($data, 1000) }
            print "$count\n";
            $count = 0;
        }
    }
}
elsif ($command eq 'connect') {
    my ($host, $port, $ms) = @ARGV;
    my $begun = time;
    my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Blocking => 0) or die "connect: $!";
    my $is_known = IO::Select->new($socket)->can_write($ms / 1000);
    my $error = $is_known ? $socket->getsockopt(SOL_SOCKET, SO_ERROR) : EINPROGRESS;
    my %words = (0 => 'connected', (ECONNREFUSED) => 'refused', (EHOSTUNREACH) => 'unreachable', (ENETUNREACH) => 'unreachable', (EINPROGRESS) => 'silent');
    my $result = $words{$error} // die "connect: error $error";
    printf "%s %.3f\n", $result, 1000 * (time - $begun);
}
else { die "no such command" }
