# Checks SPF with Mail::SPF at one name server: a line "client|identity|helo" in, a line "result" out.
use strict;
use warnings;
use Mail::SPF;
use Net::DNS;

my ($address, $port) = @ARGV;
my $resolver = Net::DNS::Resolver->new(
    nameservers => [$address], port => $port, recurse => 1, retry => 1, udp_timeout => 5, tcp_timeout => 5,
);
my $server = Mail::SPF::Server->new(dns_resolver => $resolver, hostname => 'mx.example');
$| = 1;
while (my $line = <STDIN>) {
    chomp $line;
    my ($client, $identity, $helo) = split /\|/, $line, -1;
    my $request = eval {
        Mail::SPF::Request->new(
            versions => [1], scope => 'mfrom', identity => $identity, ip_address => $client, helo_identity => $helo,
        );
    };
    my $code = $request ? eval { $server->process($request)->code } : 'none';
    print $code // 'died', "\n";
}
